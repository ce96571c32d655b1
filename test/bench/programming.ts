/**
 * How long a changed security group takes until every machine in it is filtered by it: from the change in a
 * real API server to the last of the kernel's transactions, beside those transactions alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { definitionOf, KINDS } from '../../src/api/crds.ts';
import { microVMs, namespaces, networks, pods, securityGroups } from '../../src/api/resources.ts';
import { machineDirectory } from '../../src/compute/local/directory.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import type { Provider } from '../../src/compute/provider.ts';
import { ruleset } from '../../src/compute/render/ruleset.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { microVMOf } from '../../src/core/machine/microvm.ts';
import { API_VERSION } from '../../src/core/names.ts';
import { median } from '../../src/core/statistics.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, inNamespace, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { runFilters } from '../../src/network/filters.ts';
import { firewallStores } from '../../src/network/stores.ts';
import { startApiServer } from '../support/apiserver.ts';
import { type BarePlace, bareMachineOf, bareNetwork, barePlace } from '../support/bare-machine.ts';

/** What was measured, in milliseconds; medians over the runs. */
export interface ProgrammingReport {
  readonly machines: number;
  /** From the change to the last machine that is filtered by it. */
  readonly allMs: number;
  /** The same transactions by a shell, as many at a time, with nothing else to do. */
  readonly baselineMs: number;
}

const NS = 'bench';
const GROUP = 'cluster';
const log = pino({ level: 'silent' });

/** A group as long as groups may be, but for the port of its last rule. */
const group = (port: number) => ({
  apiVersion: API_VERSION as typeof API_VERSION,
  kind: 'SecurityGroup' as const,
  metadata: { name: GROUP },
  spec: {
    ingress: [
      { protocol: '-1', peers: [{ self: true as const }] },
      {
        protocol: 'tcp',
        ports: { from: port, to: port },
        peers: Array.from({ length: 59 }, (_, i) => ({ cidr: `192.0.2.${i}/32` })),
      },
    ],
    egress: [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }],
  },
});

/** A namespace with a machine's filter in it; nothing is ever sent there. */
const makeFiltered = async (machine: Machine, place: BarePlace, guestPid: string): Promise<void> => {
  const namespace = machineNamespace(place.cluster, machine.name);
  await addNamespace(namespace);
  const [program, args] = inNamespace(namespace, 'nft', ['-f', '-']);
  await exec(program, args, { input: ruleset(machine.placement.address) });
  const directory = machineDirectory(place.directory, machine.name);
  mkdirSync(directory.path, { recursive: true });
  writeFileSync(directory.pidFile, guestPid);
};

const baseline = async (place: BarePlace, machines: readonly Machine[]): Promise<number> => {
  const lines = machines.map(({ name }) => {
    const rules = join(place.directory, name, 'firewall.nft');
    return `nsenter --net=/run/netns/${machineNamespace(place.cluster, name)} nft -f ${rules}`;
  });
  const began = performance.now();
  await exec('xargs', ['-P', '32', '-I', '{}', 'sh', '-c', '{}'], { input: `${lines.join('\n')}\n` });
  return performance.now() - began;
};

/** Measures `runs` changes over so many machines. */
export const programming = async (count: number, runs: number): Promise<ProgrammingReport> => {
  const server = await startApiServer();
  const client = new KubeClient(server.config);
  const place = await barePlace('programming');
  const guest = join(place.directory, '.guest.pid');
  const machines = Array.from({ length: count }, (_, i) =>
    bareMachineOf(`m${i}`, NS, `10.42.${64 + (i >> 8)}.${i & 255}`),
  );
  const ended: (() => Promise<void>)[] = [];
  try {
    await startDaemon({
      name: 'guest',
      program: 'sleep',
      args: ['infinity'],
      logFile: '/dev/null',
      pidFile: guest,
    });
    const pid = await exec('cat', [guest]);
    for (const machine of machines) await makeFiltered(machine, place, pid);
    const known = await fill(client, machines);

    let filtered = 0;
    const counting: Pick<Provider, 'filter' | 'watch'> = {
      watch: () => () => {},
      filter: async (name, firewall) => {
        const changed = await place.provider.filter(name, firewall);
        if (changed) filtered += 1;
        return changed;
      },
    };
    const stores = firewallStores(client, log);
    await Promise.all(Object.values(stores).map(({ synced }) => synced));
    const filters = runFilters({
      ...stores,
      provider: counting,
      events: eventRecorder(client, 'bench'),
      log,
    });
    ended.push(async () => {
      await filters.stop();
      for (const store of Object.values(stores)) store.stop();
    });
    const all = (what: string) =>
      until(() => filtered === known.length, { limitMs: 120_000, what, everyMs: 2 });
    await all('every machine to have its first filter');

    const ours: number[] = [];
    const theirs: number[] = [];
    for (let run = 1; run <= runs; run += 1) {
      filtered = 0;
      const began = performance.now();
      await client.patch(securityGroups, { name: GROUP }, group(1000 + run), { type: 'merge' });
      await all('every machine to be filtered by the changed group');
      ours.push(performance.now() - began);
      theirs.push(await baseline(place, machines));
    }
    return { machines: count, allMs: Math.round(median(ours)), baselineMs: Math.round(median(theirs)) };
  } finally {
    for (const end of ended) await end();
    for (const { name } of machines) await removeNamespace(machineNamespace(place.cluster, name));
    await stopDaemon(guest);
    await place.end();
    await client.close();
    await server.stop();
  }
};

/** Puts group, network, pods and machines into the API server. */
const fill = async (client: KubeClient, machines: readonly Machine[]): Promise<readonly Machine[]> => {
  await applyManifests(client, KINDS.map(definitionOf), 'bench');
  await client.create(namespaces, { metadata: { name: NS } });
  await client.create(securityGroups, group(1000));
  await client.create(networks, bareNetwork(GROUP));
  for (const machine of machines) {
    const { name } = machine.pod;
    const { metadata } = await client.create(pods, {
      metadata: { namespace: NS, name },
      spec: { containers: [{ name: 'main', image: 'none' }] },
    });
    const pod = { ...machine.pod, uid: metadata.uid ?? '' };
    await client.create(microVMs, microVMOf({ ...machine, pod }));
  }
  return machines;
};
