/** The connectivity suite on real namespaces, filters and packets, without guests. */
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { firewallOf } from '../../src/core/firewall/compile.ts';
import type { Firewall } from '../../src/core/firewall/firewall.ts';
import { type Objects, worldOf } from '../../src/core/firewall/world.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import type { Pod } from '../../src/core/pod.ts';
import { inNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import {
  BACK,
  connectivity,
  FRONT,
  HTTP,
  type MachineParty,
  NS,
  OTHER_NS,
  type OtherParty,
  type Party,
  type Place,
  UDP,
} from '../suites/connectivity.ts';
import { forgery } from '../suites/forgery.ts';
import {
  type BareMachine,
  type BarePlace,
  bareMachine,
  bareMachineOf,
  barePlace,
  inside,
} from '../support/bare-machine.ts';
import { component, componentsFolder } from '../support/run.ts';

const CLUSTER = 'bare';
const KUBELET = 10_250;
const ADDRESSES: Readonly<Record<Party, string>> = {
  a: '10.42.64.10',
  b: '10.42.64.11',
  c: '10.42.80.12',
  control: '10.42.0.2',
  plain: '10.42.1.5',
  far: '192.0.2.10',
};
const GROUPS: Readonly<Record<MachineParty, readonly string[]>> = { a: [FRONT], b: [BACK], c: [] };
const CLUSTER_GROUP = 'cluster-group';

const agnhost = component('agnhost');
let place: BarePlace;
const otherNamespace = (party: OtherParty): string => `${CLUSTER}-${party}`;
const OTHERS: readonly OtherParty[] = ['control', 'plain', 'far'];
const machines = new Map<MachineParty, BareMachine>();
const daemons: string[] = [];

const machineOf = (party: MachineParty): Machine => bareMachineOf(party, NS, ADDRESSES[party], GROUPS[party]);

const podOf = (name: string, namespace: string, podIP: string): Pod => ({
  metadata: { name, namespace, uid: name, labels: { app: name } },
  spec: { containers: [{ name: 'main', ports: [{ name: 'web', containerPort: HTTP }] }] },
  status: { phase: 'Running', podIP },
});

const only = (port: number) => ({ from: port, to: port });
const fixed: Omit<Objects, 'groups' | 'prefixLists' | 'policies'> = {
  machines: (['a', 'b', 'c'] as const).map(machineOf),
  pods: [
    ...(['a', 'b', 'c'] as const).map((party) => podOf(party, NS, ADDRESSES[party])),
    podOf('plain', OTHER_NS, ADDRESSES.plain),
  ],
  namespaces: [NS, OTHER_NS].map((name) => ({
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
  })),
  network: {
    clusterSecurityGroup: CLUSTER_GROUP,
    node: {
      egress: [
        { cidr: `${ADDRESSES.control}/32`, protocol: 'tcp', ports: only(6443) },
        { cidr: `${ADDRESSES.control}/32`, protocol: 'tcp', ports: only(53) },
      ],
      kubeletClients: [{ cidr: `${ADDRESSES.control}/32` }],
    },
  },
};
const clusterGroup = {
  metadata: { name: CLUSTER_GROUP },
  spec: {
    addresses: [`${ADDRESSES.control}/32`, '10.42.1.0/24'],
    ingress: [{ protocol: '-1', peers: [{ self: true }] }],
    egress: [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }],
  },
};

const serve = async (namespace: string, http: number, udp: number): Promise<void> => {
  const flags = ['netexec', `--http-port=${http}`, `--udp-port=${udp}`];
  const [program, args] = inNamespace(namespace, agnhost, flags);
  const at = (suffix: string) => join(place.directory, `.${namespace}-${http}.${suffix}`);
  daemons.push(at('pid'));
  await startDaemon({ name: namespace, program, args, logFile: at('log'), pidFile: at('pid') });
};

const serves = (namespace: string, port: number) =>
  until(async () => (await inside(namespace, `ss -Hltn sport = :${port}`)) !== '', {
    limitMs: 20_000,
    what: `${namespace} to serve port ${port}`,
  });

const machine = (party: MachineParty): BareMachine => {
  const found = machines.get(party);
  if (found === undefined) throw new Error(`machine ${party} was not made`);
  return found;
};

const namespaceOf = (party: Party): string => {
  if (party === 'a' || party === 'b') return machine(party).pod;
  return party === 'c' ? machine(party).node : otherNamespace(party);
};

const firewalls = new Map<MachineParty, Firewall>();

const bare: Place = {
  address: (party) => ADDRESSES[party],
  apply: async ({ groups, lists, policies }) => {
    const world = worldOf({ ...fixed, groups: [clusterGroup, ...groups], prefixLists: lists, policies });
    for (const party of machines.keys()) {
      const { firewall } = firewallOf(machineOf(party), world);
      if (firewall === undefined) throw new Error(`no firewall for ${party}`);
      firewalls.set(party, firewall);
      await place.provider.filter(machineOf(party).name, firewall);
    }
  },
  firewall: (party) => firewalls.get(party) as Firewall,
  run: (party, script) =>
    inside(namespaceOf(party), `PATH=${componentsFolder()}${delimiter}$PATH\n${script}`),
  outside: (party) => machine(party).outside,
};

beforeAll(async () => {
  place = await barePlace(CLUSTER);
  for (const party of OTHERS) {
    const namespace = otherNamespace(party);
    await place.join(namespace, ADDRESSES[party]);
    await serve(namespace, HTTP, UDP);
  }
  const guest = [agnhost, 'netexec', `--http-port=${HTTP}`, `--udp-port=${UDP}`] as const;
  for (const party of ['a', 'b', 'c'] as const) {
    machines.set(party, await bareMachine(machineOf(party), place, guest));
    await serve(machine(party).node, KUBELET, -1);
  }
  await Promise.all([
    ...OTHERS.map((party) => serves(otherNamespace(party), HTTP)),
    ...[...machines.values()].flatMap(({ pod, node }) => [serves(pod, HTTP), serves(node, KUBELET)]),
  ]);
}, 120_000);

afterAll(async () => {
  for (const pidFile of daemons) await stopDaemon(pidFile);
  for (const made of machines.values()) await made.remove();
  await place.end();
}, 60_000);

connectivity(() => bare, 20_000);
forgery(() => bare, 20_000);
