/** The connectivity suite on real guests: the same cases and expectations as on namespaces without guests. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import { afterAll, beforeAll } from 'vitest';
import type { MicroVM } from '../../src/api/micro-vm.ts';
import { machineOf } from '../../src/api/micro-vm.ts';
import type { Network } from '../../src/api/network.ts';
import type { PrefixList } from '../../src/api/prefix-list.ts';
import type { SecurityGroup } from '../../src/api/security-group.ts';
import { publishImage } from '../../src/cluster/basics.ts';
import { findCluster } from '../../src/cluster/cluster.ts';
import { CONTROL_ADDRESS, namespaces, places } from '../../src/cluster/plan.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import { attach, detach } from '../../src/compute/local/router.ts';
import { firewallRules } from '../../src/compute/render/ruleset.ts';
import { firewallOf } from '../../src/core/firewall/compile.ts';
import type { Firewall } from '../../src/core/firewall/firewall.ts';
import { worldOf } from '../../src/core/firewall/world.ts';
import type { ObjectMeta, Pod } from '../../src/core/pod.ts';
import { addNamespace, inNamespace, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { busyboxImage } from '../../src/tool/images.ts';
import {
  BACK,
  connectivity,
  FRONT,
  HTTP,
  LIST,
  type MachineParty,
  NS,
  OTHER_NS,
  type Party,
  type Place,
  UDP,
} from '../suites/connectivity.ts';
import { forgery } from '../suites/forgery.ts';
import { inside } from '../support/bare-machine.ts';
import { apply, kubectl, read } from '../support/kubectl.ts';
import { perlEntries } from '../support/linked.ts';
import {
  machineOfPod,
  readyAccount,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
} from '../support/machines.ts';
import { clusterOfRun, component, componentsFolder } from '../support/run.ts';

const { name: cluster, state } = clusterOfRun();

const IMAGE = 'cloister/connectivity:1';
const FAR = '192.0.2.10';
const far = `${cluster}-far`;
const farPid = join(state, 'far.pid');
const { router, control } = namespaces(cluster);

const API = 'cloister.dev/v1alpha1';
const MACHINES: readonly MachineParty[] = ['a', 'b', 'c'];

/** How long one step may take, in milliseconds: a guest starts up to a dozen programs at once for it. */
const LIMIT = 180_000;

/** A pod that serves on both ports. `c` is root of its guest, to speak as the node does. */
const server = (namespace: string, name: Party): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 1,
    ...(name === 'c' && { hostPID: true }),
    containers: [
      {
        name: 'main',
        image: `registry.cloister.internal:5000/${IMAGE}`,
        command: ['agnhost', 'netexec', `--http-port=${HTTP}`, `--udp-port=${UDP}`],
        ports: [{ name: 'web', containerPort: HTTP }],
        ...(name === 'c' && { securityContext: { privileged: true } }),
        // Half a vCPU: each probe of `a` and `b` is a program of its own.
        resources: { requests: { cpu: name === 'c' ? '250m' : '500m', memory: '256Mi' } },
      },
    ],
  },
});

const groupPolicy = (app: string, group: string): object => ({
  apiVersion: 'vpcresources.k8s.aws/v1beta1',
  kind: 'SecurityGroupPolicy',
  metadata: { namespace: NS, name: app },
  spec: { podSelector: { matchLabels: { app } }, securityGroups: { groupIds: [group] } },
});

const everything = [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }];
const open = (name: string): object => ({
  apiVersion: API,
  kind: 'SecurityGroup',
  metadata: { name },
  spec: { ingress: everything, egress: everything },
});

const pods = new Map<Party, Pod>();
const firewalls = new Map<MachineParty, Firewall>();

const podOf = (party: Party): Pod => {
  const pod = pods.get(party);
  if (pod === undefined) throw new Error(`pod ${party} was not made`);
  return pod;
};

const outside = (party: MachineParty): string => machineNamespace(cluster, machineOfPod(podOf(party)));

const items = async <T>(...what: readonly string[]): Promise<readonly T[]> =>
  (await read<{ items: T[] }>(...what)).items;

/** The firewalls that the cluster's objects make now. */
const expected = async (): Promise<ReadonlyMap<MachineParty, Firewall>> => {
  const [machines, groups, prefixLists, policies, all, every, network] = await Promise.all([
    items<MicroVM>('microvms'),
    items<SecurityGroup>('securitygroups'),
    items<PrefixList>('prefixlists'),
    items<NetworkPolicy>('networkpolicies', '-A'),
    items<{ metadata: ObjectMeta }>('namespaces'),
    items<Pod>('pods', '-A'),
    read<Network>('network', 'cluster'),
  ]);
  const world = worldOf({
    machines: machines.map(machineOf),
    pods: every,
    namespaces: all,
    groups,
    prefixLists,
    policies,
    network: network.spec,
  });
  return new Map(
    MACHINES.map((party) => {
      const vm = machines.find(({ metadata }) => metadata.name === machineOfPod(podOf(party)));
      const firewall = vm && firewallOf(machineOf(vm), world).firewall;
      if (firewall === undefined) throw new Error(`no firewall for ${party}`);
      return [party, firewall];
    }),
  );
};

/** Whether the machine's directory says that its filter is made from that firewall. */
const isInPlace = (party: MachineParty, firewall: Firewall): boolean => {
  const file = join(places(state).machines, machineOfPod(podOf(party)), 'firewall.nft');
  return existsSync(file) && readFileSync(file, 'utf8') === firewallRules(firewall);
};

const run = (party: Party, script: string): Promise<string> => {
  if (party === 'far' || party === 'control')
    return inside(party === 'far' ? far : control, `PATH=${componentsFolder()}:$PATH\n${script}`, LIMIT);
  const namespace = party === 'plain' ? OTHER_NS : NS;
  // The network namespace of the guest's first process is the node's.
  const shell = party === 'c' ? ['nsenter', '-t', '1', '-n', 'sh'] : ['sh'];
  return kubectl(['exec', '-n', namespace, party, '--', ...shell, '-c', script], { limitMs: LIMIT });
};

const guests: Place = {
  address: (party) => {
    if (party === 'control') return CONTROL_ADDRESS;
    return party === 'far' ? FAR : (podOf(party).status?.podIP ?? '');
  },
  apply: async ({ groups, lists, policies }) => {
    await kubectl(['delete', 'networkpolicies', '--all', '-n', NS]);
    await apply(
      ...lists.map((list) => ({ apiVersion: API, kind: 'PrefixList', ...list })),
      ...groups.map((group) => ({ apiVersion: API, kind: 'SecurityGroup', ...group })),
      ...policies.map((one) => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', ...one })),
    );
    for (const [party, firewall] of await expected()) firewalls.set(party, firewall);
    await until(() => [...firewalls].every(([party, firewall]) => isInPlace(party, firewall)), {
      limitMs: 30_000,
      what: 'the filters of all machines to be as the objects would have them',
    });
  },
  firewall: (party) => firewalls.get(party) as Firewall,
  run,
  outside,
};

beforeAll(async () => {
  const { entries, run: settings } = await busyboxImage();
  await publishImage(state, findCluster(cluster, state).registry, IMAGE, {
    entries: [
      ...entries,
      ...(await perlEntries()),
      { type: 'copy', path: 'bin/agnhost', from: component('agnhost') },
    ],
    run: settings,
  });
  await apply(
    ...[NS, OTHER_NS].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    {
      apiVersion: API,
      kind: 'FargateProfile',
      metadata: { name: NS },
      spec: { selectors: [{ namespace: NS }], policy: { privileged: true, hostNamespaces: true } },
    },
    open(FRONT),
    open(BACK),
    groupPolicy('a', FRONT),
    groupPolicy('b', BACK),
  );
  await readyNamespace(NS);
  await readyAccount(OTHER_NS);
  await apply(...MACHINES.map((party) => server(NS, party)), server(OTHER_NS, 'plain'));
  await addNamespace(far);
  await attach({ router, namespace: far, address: FAR });
  const serve = ['netexec', `--http-port=${HTTP}`, `--udp-port=${UDP}`];
  const [program, args] = inNamespace(far, component('agnhost'), serve);
  await startDaemon({ name: far, program, args, logFile: join(state, 'far.log'), pidFile: farPid });
  for (const party of MACHINES) pods.set(party, await readyPod(NS, party));
  pods.set('plain', await readyPod(OTHER_NS, 'plain'));
}, 400_000);

afterAll(async () => {
  await stopDaemon(farPid);
  await detach({ router, address: FAR });
  await removeNamespace(far);
  await removeFargateNamespace(NS);
  await kubectl(['delete', 'namespace', OTHER_NS, '--ignore-not-found']);
  await kubectl(['delete', 'securitygroups', FRONT, BACK, '--ignore-not-found']);
  await kubectl(['delete', 'prefixlists', LIST, '--ignore-not-found']);
}, 300_000);

connectivity(() => guests, LIMIT);
forgery(() => guests, LIMIT);
