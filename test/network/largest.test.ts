/**
 * The most that the objects can say (AWS "Amazon VPC quotas"): five groups of sixty rules in each direction, each rule
 * with a list of a thousand networks. The kernel takes it as a whole, and does what it says.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { firewallOf } from '../../src/core/firewall/compile.ts';
import type { Firewall } from '../../src/core/firewall/firewall.ts';
import { type GroupRule, worldOf } from '../../src/core/firewall/world.ts';
import { type Beside, serverIn } from '../support/balanced.ts';
import {
  type BareMachine,
  type BarePlace,
  bareMachine,
  bareMachineOf,
  bareNetwork,
  barePlace,
  reaches,
} from '../support/bare-machine.ts';

const GROUPS = ['one', 'two', 'three', 'four', 'five'] as const;
const RULES = 60;
const ENTRIES = 1_000;
const ADDRESS = '10.42.64.50';
const CLIENT = 'largest-client';
const CLIENT_ADDRESS = '10.42.1.50';
const PORT = 8080;

const machine = bareMachineOf('web', 'shop', ADDRESS, GROUPS);
let place: BarePlace;
let bare: BareMachine;
let server: Beside;

/** Networks that no two lists share; the last list ends with `last`. */
const entries = (list: number, last: string) =>
  Array.from({ length: ENTRIES }, (_, i) => ({
    cidr:
      i === ENTRIES - 1
        ? last
        : `100.${64 + Math.floor(list / 8)}.${(list % 8) * 32 + (i >> 5)}.${(i % 32) * 8}/30`,
  }));

/** @param last the only network that is let in, by the last entry of the last rule of the last group */
const firewall = (last: string): Firewall => {
  const port = { from: PORT, to: PORT };
  const rules = (group: number): readonly GroupRule[] =>
    Array.from({ length: RULES }, (_, rule) => ({
      protocol: 'tcp',
      ports: port,
      peers: [{ prefixList: `list-${group * RULES + rule}` }],
    }));
  const world = worldOf({
    machines: [machine],
    pods: [{ metadata: { namespace: 'shop', name: 'web', uid: 'web' }, spec: { containers: [] } }],
    namespaces: [],
    groups: GROUPS.map((name, index) => ({
      metadata: { name },
      spec: { ingress: rules(index), egress: rules(index) },
    })),
    prefixLists: Array.from({ length: GROUPS.length * RULES }, (_, list) => ({
      metadata: { name: `list-${list}` },
      spec: { entries: entries(list, list === GROUPS.length * RULES - 1 ? last : '192.0.2.0/24') },
    })),
    policies: [],
    network: bareNetwork('cluster').spec,
  });
  const { firewall: made } = firewallOf(machine, world);
  if (made === undefined) throw new Error('the pod is known');
  return made;
};

beforeAll(async () => {
  place = await barePlace('largest');
  bare = await bareMachine(machine, place, ['sleep', 'infinity']);
  server = await serverIn(bare.pod, ADDRESS, 'web');
  await place.join(CLIENT, CLIENT_ADDRESS);
}, 60_000);

afterAll(async () => {
  await server?.kill();
  await bare?.remove();
  await place?.end();
}, 60_000);

it('is put in place as a whole, and its last word counts', async () => {
  expect(await place.provider.filter(machine.name, firewall(`${CLIENT_ADDRESS}/32`))).toBe(true);
  expect(await reaches(CLIENT, bare, PORT)).toBe(true);
  expect(await place.provider.filter(machine.name, firewall('198.51.100.0/24'))).toBe(true);
  expect(await reaches(CLIENT, bare, PORT)).toBe(false);
}, 60_000);
