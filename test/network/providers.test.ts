/** `filter` means the same for machines that are files and for namespaces with a kernel's filter in them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeProvider, readFakeMachine, writeFakeMachine } from '../../src/compute/fake/provider.ts';
import { machineDirectory } from '../../src/compute/local/directory.ts';
import { judge } from '../../src/core/firewall/judge.ts';
import { parseAddress } from '../../src/core/net/ipv4.ts';
import { stopDaemon } from '../../src/host/process.ts';
import { type FilteredPlace, providerFilters } from '../suites/provider-filters.ts';
import { type Beside, serverIn } from '../support/balanced.ts';
import { type BareMachine, bareMachine, bareMachineOf, barePlace, reaches } from '../support/bare-machine.ts';

const machines = [
  bareMachineOf('one', 'shop', '10.42.64.30'),
  bareMachineOf('other', 'shop', '10.42.64.31'),
] as const;
const PEER = '10.42.1.30';
const PORT = 8080;
const TCP = 6;

providerFilters(
  'fake',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'cloister-fake-'));
    const provider = fakeProvider(directory, { memoryMiB: 4096, milliCpu: 4000 });
    return {
      provider,
      machines,
      start: provider.ensure,
      kill: async ({ name }) => {
        const known = readFakeMachine(directory, name);
        if (known !== undefined) writeFakeMachine(directory, { ...known, state: 'dead' });
      },
      admits: async ({ name }) => {
        const firewall = readFakeMachine(directory, name)?.firewall;
        const flow = {
          direction: 'ingress',
          peer: parseAddress(PEER) ?? 0,
          protocol: TCP,
          port: PORT,
        } as const;
        return firewall !== undefined && judge(firewall, flow).allowed;
      },
      end: async () => rmSync(directory, { recursive: true }),
    };
  },
  { refuses: false },
);

const local = async (): Promise<FilteredPlace> => {
  const place = await barePlace('filtered');
  const client = `${place.cluster}-client`;
  await place.join(client, PEER);
  const made = new Map<string, { readonly machine: BareMachine; readonly server: Beside }>();
  const remove = async (name: string): Promise<void> => {
    await made.get(name)?.server.kill();
    await made.get(name)?.machine.remove();
  };
  return {
    provider: place.provider,
    machines,
    start: async (machine) => {
      await remove(machine.name);
      const bare = await bareMachine(machine, place, ['sleep', 'infinity']);
      const server = await serverIn(bare.pod, machine.placement.address, machine.name);
      made.set(machine.name, { machine: bare, server });
    },
    kill: ({ name }) => stopDaemon(machineDirectory(place.directory, name).pidFile),
    admits: async ({ name }) => {
      const found = made.get(name);
      if (found === undefined) throw new Error(`machine ${name} was not made`);
      return reaches(client, found.machine, PORT);
    },
    end: async () => {
      for (const name of made.keys()) await remove(name);
      await place.end();
    },
  };
};

providerFilters('local', local, { refuses: true });
