/**
 * The layer of NetworkPolicies on one pod (Kubernetes documentation "Network Policies" and the API reference of
 * networking.k8s.io/v1).
 */
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from 'kubernetes-types/networking/v1.js';
import { groupBy } from '../group-by.ts';
import { type LabelSelector, selects } from '../labels.ts';
import { parseLegacyNetwork } from '../net/ipv4.ts';
import { EVERYWHERE, type Ranges, rangesOf, single, union, without } from '../net/ranges.ts';
import type { Allow, Direction, Layer } from './firewall.ts';
import { type Ports, transportNumber } from './protocol.ts';
import type { PeerPod, World } from './world.ts';

/** As the API server would fill in the types: always ingress, and egress where there are rules for it. */
const isolates = ({ spec }: NetworkPolicy, direction: Direction): boolean => {
  const { policyTypes = [], egress = [] } = spec ?? {};
  const types = policyTypes.length > 0 ? policyTypes : ['Ingress', ...(egress.length > 0 ? ['Egress'] : [])];
  return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
};

/**
 * Pods that a peer selects. Without a namespace selector it means the policy's own namespace. One with neither
 * selector selects none: it is a block, or something that only later API servers know.
 */
const selected = (peer: NetworkPolicyPeer, own: string, world: World): readonly PeerPod[] => {
  const { namespaceSelector, podSelector } = peer;
  if (namespaceSelector === undefined && podSelector === undefined) return [];
  const namespaces =
    namespaceSelector === undefined
      ? [own]
      : [...world.namespaces()].filter(([, labels]) => selects(namespaceSelector, labels)).map(([n]) => n);
  return namespaces
    .flatMap((namespace) => world.pods(namespace))
    .filter(({ labels, hostNetwork }) => !hostNetwork && selects(podSelector ?? {}, labels));
};

/** An exception that cannot be read may be meant for any address of its block, so that it takes away all. */
const blockOf = ({ cidr, except = [] }: IPBlock): Ranges =>
  except.every((hole) => parseLegacyNetwork(hole) !== undefined)
    ? without(rangesOf([cidr]), rangesOf(except))
    : [];

const addresses = (pods: readonly PeerPod[]): Ranges =>
  union(
    pods
      .map(({ address }) => address)
      .filter((address) => address !== undefined)
      .map(single),
  );

/** The other side of a rule: where it is, and the pods that are meant by their labels. */
interface Side {
  readonly ranges: Ranges;
  readonly pods: readonly PeerPod[];
}

/** No peers at all mean every one. */
const sideOf = (peers: readonly NetworkPolicyPeer[], own: string, world: World): Side => {
  if (peers.length === 0) {
    const all = { namespaceSelector: {} };
    return { ranges: EVERYWHERE, pods: selected(all, own, world) };
  }
  const pods = peers.flatMap((peer) => selected(peer, own, world));
  const blocks = peers.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : blockOf(ipBlock)));
  return { ranges: union([...blocks, ...addresses(pods)]), pods };
};

const numbered = (port: number, endPort?: number): Ports => ({ from: port, to: endPort ?? port });

const portsNamed = ({ ports }: PeerPod, name: string, protocol: number): readonly number[] =>
  ports.filter((port) => port.name === name && port.protocol === protocol).map(({ port }) => port);

/** What one port of a rule allows. A named port is looked up where it is: at the receiving pods. */
const allowsOf = (
  port: NetworkPolicyPort,
  side: Side,
  receivers: 'own' | 'peers',
  pod: PeerPod,
): readonly Omit<Allow, 'origin'>[] => {
  const protocol = transportNumber(port.protocol);
  if (protocol === undefined) return [];
  if (port.port === undefined) return [{ protocol, peers: side.ranges }];
  if (typeof port.port === 'number') {
    return [{ protocol, ports: numbered(port.port, port.endPort), peers: side.ranges }];
  }
  const name = port.port;
  if (receivers === 'own') {
    return portsNamed(pod, name, protocol).map((n) => ({ protocol, ports: numbered(n), peers: side.ranges }));
  }
  const receiving = side.pods.flatMap((peer) => portsNamed(peer, name, protocol).map((n) => ({ n, peer })));
  return [...groupBy(receiving, ({ n }) => `${n}`)].map(([n, found]) => ({
    protocol,
    ports: numbered(Number(n)),
    peers: addresses(found.map(({ peer }) => peer)),
  }));
};

const allowsOfPolicy = (
  policy: NetworkPolicy,
  direction: Direction,
  pod: PeerPod,
  world: World,
): readonly Allow[] => {
  const { namespace = '', name = '' } = policy.metadata ?? {};
  const origin = `${namespace}/${name}`;
  const rules =
    direction === 'ingress'
      ? (policy.spec?.ingress ?? []).map(({ from = [], ports = [] }) => ({ peers: from, ports }))
      : (policy.spec?.egress ?? []).map(({ to = [], ports = [] }) => ({ peers: to, ports }));
  return rules.flatMap(({ peers, ports }): readonly Allow[] => {
    // Whose pods are meant is only of interest where a port of theirs is named.
    const side =
      peers.length === 0 && !ports.some(({ port }) => typeof port === 'string')
        ? { ranges: EVERYWHERE, pods: [] }
        : sideOf(peers, namespace, world);
    if (ports.length === 0) return [{ peers: side.ranges, origin }];
    const receivers = direction === 'ingress' ? 'own' : 'peers';
    return ports.flatMap((port) => allowsOf(port, side, receivers, pod).map((a) => ({ ...a, origin })));
  });
};

/**
 * What the policies of a namespace allow a pod in one direction: a rule of any that selects it is enough.
 * @returns undefined when no policy isolates the pod in that direction
 */
export const policyLayer = (
  namespace: string,
  pod: PeerPod,
  direction: Direction,
  world: World,
): Layer | undefined => {
  const policies = world
    .policies(namespace)
    .filter((policy) => isolates(policy, direction) && selects(policy.spec?.podSelector ?? {}, pod.labels));
  if (policies.length === 0) return undefined;
  return {
    origins: policies.map(({ metadata }) => `${namespace}/${metadata?.name}`),
    allows: policies.flatMap((policy) => allowsOfPolicy(policy, direction, pod, world)),
  };
};

/** Addresses of the pods that both selectors mean, those of host networks included. */
export const podsSelected = (namespaces: LabelSelector, pods: LabelSelector, world: World): Ranges =>
  addresses(
    [...world.namespaces()]
      .filter(([, labels]) => selects(namespaces, labels))
      .flatMap(([namespace]) => world.pods(namespace))
      .filter(({ labels }) => selects(pods, labels)),
  );
