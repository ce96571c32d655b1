/**
 * What the filter costs a connection: between two machines without guests, beside the same path without a filter
 * and beside two namespaces on a plain bridge. The three alternate, so that a noisy host is noisy for all.
 */
import { join } from 'node:path';
import type { Firewall } from '../../src/core/firewall/firewall.ts';
import { openFirewall } from '../../src/core/firewall/open.ts';
import { TCP } from '../../src/core/firewall/protocol.ts';
import { rangesOf } from '../../src/core/net/ranges.ts';
import { median } from '../../src/core/statistics.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, inNamespace, ipBatch, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { scriptCommand } from '../../src/host/script.ts';
import { until } from '../../src/host/wait.ts';
import { type BareMachine, bareMachine, bareMachineOf, barePlace, inside } from '../support/bare-machine.ts';
import { type Interval, ratioOf } from './pairs.ts';

const PORT = 9000;
const SET_UPS = 400;
const POUR_MS = 500;

/** What was measured of one path. */
export interface PathReport {
  /** Set-up of a connection, in microseconds. */
  readonly setUpMicros: number;
  /** Gigabits per second of one connection. */
  readonly gigabits: number;
}

/** Both ends of a path: where the client is, and the server's address. */
interface Path {
  readonly client: string;
  readonly server: string;
  readonly address: string;
}

const measure = async ({ client, address }: Path, what: 'connect' | 'pour', amount: number) => {
  const script = scriptCommand('test/bench/flow.ts', [what, address, `${PORT}`, `${amount}`]);
  const [program, args] = inNamespace(client, ...script);
  return Number(await exec(program, args));
};

/** A filter as pods have it: sixty rules each way, the last of which lets the connection pass. */
const filterOf = (address: string): Firewall => {
  const others = Array.from({ length: 59 }, (_, i) => ({
    protocol: TCP,
    ports: { from: i + 1, to: i + 1 },
    peers: rangesOf([`192.0.2.${i}/32`]),
    origin: 'bench',
  }));
  const last = { protocol: TCP, peers: rangesOf(['10.42.0.0/16']), origin: 'bench' };
  const layer = { origins: ['bench'], allows: [...others, last] };
  return { ...openFirewall(address), groups: { ingress: layer, egress: layer } };
};

const bridge = 'paths-bridge';
const makeBridged = async (): Promise<Path> => {
  const [client, server] = ['paths-left', 'paths-right'];
  for (const namespace of [bridge, client, server]) await addNamespace(namespace);
  await ipBatch(bridge, ['link add bridge0 type bridge', 'link set bridge0 up']);
  for (const [index, namespace] of [client, server].entries()) {
    await exec('ip', [
      ...['-n', bridge, 'link', 'add', `p${index}`, 'master', 'bridge0', 'type', 'veth'],
      ...['peer', 'name', 'eth0', 'netns', namespace],
    ]);
    await ipBatch(bridge, [`link set p${index} up`]);
    await ipBatch(namespace, [`addr add 10.43.0.${index + 1}/24 dev eth0`, 'link set eth0 up']);
  }
  return { client, server, address: '10.43.0.2' };
};

const serve = async (namespace: string, folder: string): Promise<string> => {
  const [program, args] = inNamespace(
    namespace,
    ...scriptCommand('test/bench/flow.ts', ['serve', `${PORT}`]),
  );
  const at = (suffix: string) => join(folder, `.${namespace}.${suffix}`);
  await startDaemon({ name: namespace, program, args, logFile: at('log'), pidFile: at('pid') });
  await until(async () => (await inside(namespace, `ss -Hltn sport = :${PORT}`)) !== '', {
    limitMs: 20_000,
    what: `${namespace} to serve`,
  });
  return at('pid');
};

/** Measures the three paths in turns. */
export const pathCosts = async (
  rounds: number,
): Promise<{
  readonly paths: Readonly<Record<'bridge' | 'routed' | 'filtered', PathReport>>;
  readonly setUp: Readonly<Record<'overBridge' | 'overRouted', Interval>>;
  readonly throughput: Readonly<Record<'overBridge' | 'overRouted', Interval>>;
}> => {
  const place = await barePlace('paths');
  const machines: BareMachine[] = [];
  const daemons: string[] = [];
  try {
    const pair = async (first: number): Promise<Path> => {
      const made: BareMachine[] = [];
      for (const last of [first, first + 1]) {
        const machine = bareMachineOf(`m${last}`, 'bench', `10.42.64.${last}`);
        made.push(await bareMachine(machine, place, ['sleep', 'infinity']));
      }
      machines.push(...made);
      const [client, server] = made as [BareMachine, BareMachine];
      return { client: client.pod, server: server.pod, address: server.machine.placement.address };
    };
    const paths = { bridge: await makeBridged(), routed: await pair(10), filtered: await pair(20) };
    for (const { outside, machine } of machines) {
      const { address } = machine.placement;
      if (outside.endsWith('m10') || outside.endsWith('m11')) await inside(outside, 'nft flush ruleset');
      else await place.provider.filter(machine.name, filterOf(address));
    }
    for (const { server } of Object.values(paths)) daemons.push(await serve(server, place.directory));
    const names = ['bridge', 'routed', 'filtered'] as const;
    const setUps = { bridge: [] as number[], routed: [] as number[], filtered: [] as number[] };
    const rates = { bridge: [] as number[], routed: [] as number[], filtered: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) setUps[name].push(await measure(paths[name], 'connect', SET_UPS));
      for (const name of names) rates[name].push(await measure(paths[name], 'pour', POUR_MS));
    }
    const report = (name: (typeof names)[number]): PathReport => ({
      setUpMicros: Math.round(median(setUps[name])),
      gigabits: Math.round((median(rates[name]) * 8) / 1e7) / 100,
    });
    return {
      paths: { bridge: report('bridge'), routed: report('routed'), filtered: report('filtered') },
      setUp: {
        overBridge: ratioOf(setUps.filtered, setUps.bridge),
        overRouted: ratioOf(setUps.filtered, setUps.routed),
      },
      throughput: {
        overBridge: ratioOf(rates.filtered, rates.bridge),
        overRouted: ratioOf(rates.filtered, rates.routed),
      },
    };
  } finally {
    for (const pidFile of daemons) await stopDaemon(pidFile);
    for (const machine of machines) await machine.remove();
    for (const namespace of [bridge, 'paths-left', 'paths-right']) await removeNamespace(namespace);
    await place.end();
  }
};
