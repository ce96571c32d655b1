/**
 * What a cluster with a way out does to its host. The host is a namespace of this run, between a network that it
 * gets its default route from and one of its own.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VPC_CIDR } from '../../src/cluster/plan.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, inNamespace, ipBatch, removeNamespace } from '../../src/host/namespace.ts';
import { until } from '../../src/host/wait.ts';
import { inside } from '../support/bare-machine.ts';
import { type Witness, witness } from '../support/filters.ts';
import { sendUdp } from '../support/frames.ts';

const HOST = 'uplink-host';
const OUTSIDE = 'uplink-outside';
const OWN = 'uplink-own';
const ROUTERS = ['uplink-one', 'uplink-two'] as const;
const ROUTER_MODULE = join(import.meta.dirname, '../../src/compute/local/router.ts');

/** Calls a function of the router's module as a process of the host would. */
const onHost = (call: string): Promise<string> => {
  const script = `import * as router from '${ROUTER_MODULE}'; await router.${call}`;
  const flags = ['--import', 'tsx', '--input-type=module', '-e', script];
  return exec(...inNamespace(HOST, process.execPath, flags));
};
const up = (name: string): Promise<string> =>
  onHost(`createRouter(${JSON.stringify({ name, network: VPC_CIDR, egress: true })})`);
const down = (name: string): Promise<string> => onHost(`removeRouter('${name}')`);

const forwarding = async (): Promise<string> =>
  (await inside(HOST, 'cat /proc/sys/net/ipv4/conf/outside/forwarding')).trim();

/** Joins a namespace to the host. */
const join30 = async (namespace: string, device: string, network: string): Promise<void> => {
  await addNamespace(namespace);
  await ipBatch(HOST, [
    `link add ${device} type veth peer name eth0 netns ${namespace}`,
    `addr add ${network}.1/30 dev ${device}`,
    `link set ${device} up`,
  ]);
  await ipBatch(namespace, [
    `addr add ${network}.2/30 dev eth0`,
    'link set eth0 up',
    `route add default via ${network}.1`,
  ]);
};

beforeAll(async () => {
  await addNamespace(HOST);
  await join30(OUTSIDE, 'outside', '198.51.100');
  await join30(OWN, 'own', '203.0.113');
  await ipBatch(HOST, ['route add default via 198.51.100.2']);
  await inside(HOST, 'echo 0 >/proc/sys/net/ipv4/ip_forward');
}, 30_000);

afterAll(async () => {
  for (const namespace of [...ROUTERS, HOST, OUTSIDE, OWN]) await removeNamespace(namespace);
}, 30_000);

let own: Witness;

it('a host that forwarded nothing forwards nothing between its own networks', async () => {
  await up(ROUTERS[0]);
  await up(ROUTERS[1]);
  own = await witness(HOST, 'own', { begun: 'ip saddr 198.51.100.2', host: 'ip saddr 203.0.113.1' });
  await inside(OUTSIDE, sendUdp(40_005, '203.0.113.2', 9));
  await inside(HOST, sendUdp(40_005, '203.0.113.2', 9));
  await until(async () => ((await own.seen())['host'] ?? 0) > 0, {
    limitMs: 10_000,
    what: "the host's own packet to leave",
  });
  expect(await own.seen()).toEqual({ begun: 0, host: 1 });
}, 60_000);

it('and is left as it was, whichever cluster goes last', async () => {
  expect(await forwarding()).toBe('1');
  await down(ROUTERS[0]);
  expect(await forwarding()).toBe('1');
  await inside(OUTSIDE, sendUdp(40_006, '203.0.113.2', 9));
  expect(await own.seen()).toMatchObject({ begun: 0 });
  await down(ROUTERS[1]);
  expect(await forwarding()).toBe('0');
}, 60_000);
