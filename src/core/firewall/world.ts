/** Everything that firewalls are made from: the objects as they are stored, and questions about them. */
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import { groupBy } from '../group-by.ts';
import type { LabelSelector, Labels } from '../labels.ts';
import type { Machine } from '../machine/machine.ts';
import { parseAddress } from '../net/ipv4.ts';
import { type Ranges, rangesOf } from '../net/ranges.ts';
import type { ObjectMeta, Pod } from '../pod.ts';
import { type Ports, transportNumber } from './protocol.ts';

/** The other side of a group's rule: exactly one of its fields is set. */
export interface GroupPeer {
  readonly cidr?: string;
  readonly group?: string;
  readonly prefixList?: string;
  readonly self?: boolean;
}

/** A rule of a group. */
export interface GroupRule {
  readonly protocol: string;
  readonly ports?: Ports;
  readonly peers: readonly GroupPeer[];
}

/** What the engine reads of a SecurityGroup object. */
export interface Group {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly addresses?: readonly string[];
    readonly ingress?: readonly GroupRule[];
    readonly egress?: readonly GroupRule[];
  };
}

/** What the engine reads of a PrefixList object. */
export interface List {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly entries: readonly { readonly cidr: string }[] };
}

/** Where the node's own processes may go. */
export interface NodeEgress {
  readonly cidr: string;
  /** Networks within `cidr` that are not meant. */
  readonly except?: readonly string[];
  readonly protocol: string;
  readonly ports?: Ports;
}

/** Who may reach the kubelet: a network, or the pods that both selectors mean. */
export interface KubeletClient {
  readonly cidr?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly podSelector?: LabelSelector;
}

/** What the engine reads of the Network object. */
export interface NetworkRules {
  /** The group of machines that name none (spec/fargate.md §6). */
  readonly clusterSecurityGroup: string;
  readonly node: {
    readonly egress: readonly NodeEgress[];
    readonly kubeletClients: readonly KubeletClient[];
  };
}

/** The objects of a cluster that bear on what may pass. */
export interface Objects {
  readonly machines: readonly Machine[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly { readonly metadata: ObjectMeta }[];
  readonly groups: readonly Group[];
  readonly prefixLists: readonly List[];
  readonly policies: readonly NetworkPolicy[];
  /** Undefined while there is no Network. */
  readonly network: NetworkRules | undefined;
}

/** A pod as other pods' rules see it. */
export interface PeerPod {
  readonly uid: string | undefined;
  readonly labels: Labels;
  /** Address as a number; undefined while it has none. */
  readonly address: number | undefined;
  /** It uses its node's address, which no selector of a policy means. */
  readonly hostNetwork: boolean;
  /** Container ports by name. */
  readonly ports: readonly {
    readonly name: string;
    readonly protocol: number | undefined;
    readonly port: number;
  }[];
}

/** Questions about the objects; each answer is worked out once. */
export interface World {
  network(): NetworkRules | undefined;
  group(name: string): Group | undefined;
  /** Addresses of a group's members. */
  members(group: string): Ranges;
  prefixList(name: string): Ranges;
  policies(namespace: string): readonly NetworkPolicy[];
  namespaces(): ReadonlyMap<string, Labels>;
  /** Pods of a namespace that have not ended. */
  pods(namespace: string): readonly PeerPod[];
  /** One pod, also when it has ended. */
  pod(namespace: string, name: string): PeerPod | undefined;
}

/** The groups that a machine is in: those it names, or the cluster security group. */
export const groupsOf = (
  { securityGroups }: Pick<Machine, 'securityGroups'>,
  network: NetworkRules | undefined,
): readonly string[] => {
  if (securityGroups.length > 0) return securityGroups;
  return network === undefined ? [] : [network.clusterSecurityGroup];
};

const keyOf = (namespace = '', name = ''): string => `${namespace}/${name}`;

const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

const peerPod = (pod: Pod, machineAddress: string | undefined): PeerPod => ({
  uid: pod.metadata.uid,
  labels: pod.metadata.labels ?? {},
  address: parseAddress(machineAddress ?? pod.status?.podIP ?? ''),
  hostNetwork: pod.spec.hostNetwork === true,
  ports: [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    .flatMap(({ ports = [] }) => ports)
    .map(({ name = '', protocol, containerPort }) => ({
      name,
      protocol: transportNumber(protocol),
      port: containerPort,
    })),
});

/** Answers each question once. */
const remember = <T>(answer: (name: string) => T): ((name: string) => T) => {
  const known = new Map<string, T>();
  return (name) => {
    if (!known.has(name)) known.set(name, answer(name));
    return known.get(name) as T;
  };
};

/** Indexes the objects. The answers hold for as long as nothing changes: make a new world after that. */
export const worldOf = (objects: Objects): World => {
  const { network } = objects;
  const groups = new Map(objects.groups.map((group) => [group.metadata.name, group]));
  const lists = new Map(objects.prefixLists.map(({ metadata, spec }) => [metadata.name, spec.entries]));
  const policies = groupBy(objects.policies, ({ metadata }) => metadata?.namespace ?? '');
  const machineAddresses = groupBy(
    objects.machines.flatMap((machine) =>
      groupsOf(machine, network).map((group) => ({ group, address: machine.placement.address })),
    ),
    ({ group }) => group,
  );
  const addressOf = new Map(objects.machines.map(({ pod, placement }) => [pod.uid, placement.address]));
  const peer = (pod: Pod): PeerPod => peerPod(pod, addressOf.get(pod.metadata.uid ?? ''));
  const podsBy = groupBy(objects.pods, ({ metadata }) => metadata.namespace ?? '');
  const podByName = new Map(
    objects.pods.map((pod) => [keyOf(pod.metadata.namespace, pod.metadata.name), pod]),
  );
  const labelsBy = new Map(
    objects.namespaces.map(({ metadata }) => [metadata.name ?? '', metadata.labels ?? {}]),
  );
  return {
    network: () => network,
    group: (name) => groups.get(name),
    members: remember((name) => {
      const machines = (machineAddresses.get(name) ?? []).map(({ address }) => `${address}/32`);
      return rangesOf([...machines, ...(groups.get(name)?.spec.addresses ?? [])]);
    }),
    prefixList: remember((name) => rangesOf((lists.get(name) ?? []).map(({ cidr }) => cidr))),
    policies: (namespace) => policies.get(namespace) ?? [],
    namespaces: () => labelsBy,
    pods: remember((namespace) => (podsBy.get(namespace) ?? []).filter((pod) => !hasEnded(pod)).map(peer)),
    pod: (namespace, name) => {
      const pod = podByName.get(keyOf(namespace, name));
      return pod && peer(pod);
    },
  };
};
