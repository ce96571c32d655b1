/**
 * The engine against a reference that resolves nothing: it asks, for one connection, every rule of every object
 * by itself, as the documentation reads.
 */
import fc from 'fast-check';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.js';
import { expect, it } from 'vitest';
import { selects } from '../labels.ts';
import type { Machine } from '../machine/machine.ts';
import { formatAddress, parseAddress } from '../net/ipv4.ts';
import type { Pod } from '../pod.ts';
import { firewallOf } from './compile.ts';
import type { Direction } from './firewall.ts';
import { type Flow, judge } from './judge.ts';
import { type GroupPeer, type GroupRule, type Objects, worldOf } from './world.ts';

const NUMBERS: Readonly<Record<string, number>> = { tcp: 6, TCP: 6, udp: 17, UDP: 17, icmp: 1, SCTP: 132 };
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', '10.0.1.2', '192.0.2.1'];
const CIDRS = ['0.0.0.0/0', '10.0.0.0/24', '10.0.0.2/31', '10.0.1.1/32', '192.0.2.0/24'];
/** Bits after the prefix: API servers up to 1.35 take them in policies. */
const LEGACY_CIDRS = [...CIDRS, '10.0.0.3/31', '10.0.1.9/24', '192.0.2.77/8'];
const GROUPS = ['cluster', 'web', 'gone'];
const LABELS: readonly Record<string, string>[] = [{}, { app: 'a' }, { app: 'b' }, { app: 'a', tier: 'x' }];

// --- the reference ------------------------------------------------------------------------------------------

const inCidr = (cidr: string, address: number): boolean => {
  const [network = '', bits] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return Math.floor((parseAddress(network) ?? Number.NaN) / size) === Math.floor(address / size);
};
const groupsOf = (machine: Machine): readonly string[] =>
  machine.securityGroups.length > 0 ? machine.securityGroups : ['cluster'];
const isMember = (group: string, address: number, { machines, groups }: Objects): boolean =>
  machines.some((m) => parseAddress(m.placement.address) === address && groupsOf(m).includes(group)) ||
  groups.some((g) => g.metadata.name === group && (g.spec.addresses ?? []).some((c) => inCidr(c, address)));

const meansGroupPeer = (peer: GroupPeer, own: string, address: number, objects: Objects): boolean =>
  (peer.cidr !== undefined && inCidr(peer.cidr, address)) ||
  (peer.group !== undefined && isMember(peer.group, address, objects)) ||
  (peer.self === true && isMember(own, address, objects)) ||
  objects.prefixLists.some(
    (list) =>
      list.metadata.name === peer.prefixList && list.spec.entries.some(({ cidr }) => inCidr(cidr, address)),
  );

const groupsAllow = (machine: Machine, flow: Flow, objects: Objects): boolean =>
  groupsOf(machine).some((name) =>
    objects.groups
      .filter((group) => group.metadata.name === name)
      .flatMap((group) => group.spec[flow.direction] ?? [])
      .some(
        ({ protocol, ports, peers }) =>
          (protocol === '-1' || NUMBERS[protocol] === flow.protocol) &&
          (ports === undefined ||
            (flow.port !== undefined && flow.port >= ports.from && flow.port <= ports.to)) &&
          peers.some((peer) => meansGroupPeer(peer, name, flow.peer, objects)),
      ),
  );

const addressOf = (pod: Pod, { machines }: Objects): number | undefined =>
  parseAddress(
    machines.find((m) => m.pod.uid === pod.metadata.uid)?.placement.address ?? pod.status?.podIP ?? '',
  );

const meansPod = (peer: NetworkPolicyPeer, pod: Pod, objects: Objects): boolean => {
  if (peer.namespaceSelector === undefined && peer.podSelector === undefined) return false;
  if (pod.spec.hostNetwork || pod.status?.phase === 'Failed') return false;
  const labels = objects.namespaces.find(({ metadata }) => metadata.name === pod.metadata.namespace)?.metadata
    .labels;
  const inNamespace =
    peer.namespaceSelector === undefined
      ? pod.metadata.namespace === 'shop'
      : selects(peer.namespaceSelector, labels);
  return inNamespace && selects(peer.podSelector ?? {}, pod.metadata.labels);
};

const named = (pod: Pod | undefined, name: string, protocol: number, port: number | undefined): boolean =>
  (pod?.spec.containers ?? []).some(({ ports = [] }) =>
    ports.some(
      (p) => p.name === name && NUMBERS[p.protocol ?? 'TCP'] === protocol && p.containerPort === port,
    ),
  );

const policyAllows = (policy: NetworkPolicy, own: Pod, flow: Flow, objects: Objects): boolean => {
  const rules =
    flow.direction === 'ingress'
      ? (policy.spec?.ingress ?? []).map((rule) => ({ peers: rule.from ?? [], ports: rule.ports ?? [] }))
      : (policy.spec?.egress ?? []).map((rule) => ({ peers: rule.to ?? [], ports: rule.ports ?? [] }));
  const there = objects.pods.filter((pod) => addressOf(pod, objects) === flow.peer);
  return rules.some(({ peers, ports }) => {
    const pods = there.filter((pod) =>
      (peers.length === 0 ? [{ namespaceSelector: {} }] : peers).some((peer) => meansPod(peer, pod, objects)),
    );
    const byBlock = peers.some(
      ({ ipBlock }) =>
        ipBlock !== undefined &&
        inCidr(ipBlock.cidr, flow.peer) &&
        !(ipBlock.except ?? []).some((cidr) => inCidr(cidr, flow.peer)),
    );
    const meant = peers.length === 0 || byBlock || pods.length > 0;
    if (ports.length === 0) return meant;
    return ports.some(({ port, endPort, protocol = 'TCP' }) => {
      if (NUMBERS[protocol] !== flow.protocol) return false;
      if (port === undefined) return meant;
      if (typeof port === 'number')
        return meant && flow.port !== undefined && flow.port >= port && flow.port <= (endPort ?? port);
      return flow.direction === 'ingress'
        ? meant && named(own, port, flow.protocol, flow.port)
        : pods.some((pod) => named(pod, port, flow.protocol, flow.port));
    });
  });
};

const isolates = ({ spec }: NetworkPolicy, direction: Direction): boolean => {
  if (spec?.policyTypes?.length)
    return spec.policyTypes.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
  return direction === 'ingress' || (spec?.egress ?? []).length > 0;
};

const policiesAllow = (own: Pod, flow: Flow, objects: Objects): boolean => {
  const isolating = objects.policies.filter(
    (policy) =>
      selects(policy.spec?.podSelector ?? {}, own.metadata.labels) && isolates(policy, flow.direction),
  );
  return isolating.length === 0 || isolating.some((policy) => policyAllows(policy, own, flow, objects));
};

// --- random objects -----------------------------------------------------------------------------------------

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const ports = fc.record({ from: fc.integer({ min: 1, max: 5 }), length: fc.integer({ min: 0, max: 3 }) });
const groupPeer = fc.oneof(
  pick(...CIDRS).map((cidr): GroupPeer => ({ cidr })),
  pick(...GROUPS).map((group): GroupPeer => ({ group })),
  fc.constant<GroupPeer>({ self: true }),
  pick('office', 'gone').map((prefixList): GroupPeer => ({ prefixList })),
);
const groupRule = fc
  .record({
    protocol: pick('tcp', 'udp', 'icmp', '-1'),
    ports: fc.option(ports),
    peers: fc.array(groupPeer, { minLength: 1, maxLength: 3 }),
  })
  .map(
    ({ protocol, ports: p, peers }): GroupRule => ({
      protocol,
      peers,
      ...(p !== null && ['tcp', 'udp'].includes(protocol)
        ? { ports: { from: p.from, to: p.from + p.length } }
        : {}),
    }),
  );
const groupRules = fc.array(groupRule, { maxLength: 3 });
const selector = pick({}, { matchLabels: { app: 'a' } }, { matchLabels: { app: 'b' } });
const policyPeer = fc.oneof(
  selector.map((podSelector): NetworkPolicyPeer => ({ podSelector })),
  selector.map((namespaceSelector): NetworkPolicyPeer => ({ namespaceSelector })),
  fc
    .tuple(selector, selector)
    .map(([namespaceSelector, podSelector]): NetworkPolicyPeer => ({ namespaceSelector, podSelector })),
  fc
    .tuple(pick(...LEGACY_CIDRS), fc.array(pick(...LEGACY_CIDRS), { maxLength: 2 }))
    .map(([cidr, except]): NetworkPolicyPeer => ({ ipBlock: { cidr, except } })),
  fc.constant<NetworkPolicyPeer>({}),
);
const protocol = pick('TCP', 'UDP', 'SCTP');
const policyPort = fc.oneof(
  protocol.map((p): NetworkPolicyPort => ({ protocol: p })),
  fc
    .tuple(protocol, ports)
    .map(([p, { from, length }]): NetworkPolicyPort => ({ protocol: p, port: from, endPort: from + length })),
  fc.tuple(protocol, pick('web', 'dns')).map(([p, port]): NetworkPolicyPort => ({ protocol: p, port })),
);
const side = fc.record({
  peers: fc.array(policyPeer, { maxLength: 2 }),
  ports: fc.array(policyPort, { maxLength: 2 }),
});
const policy = fc
  .record({
    podSelector: selector,
    policyTypes: fc.option(fc.subarray(['Ingress', 'Egress']), { nil: undefined }),
    ingress: fc.array(side, { maxLength: 2 }),
    egress: fc.option(fc.array(side, { maxLength: 2 }), { nil: undefined }),
  })
  .map(
    ({ podSelector, policyTypes, ingress, egress }): NetworkPolicy => ({
      metadata: { name: 'p', namespace: 'shop' },
      spec: {
        podSelector,
        ...(policyTypes && { policyTypes }),
        ingress: ingress.map((s) => ({ from: s.peers, ports: s.ports })),
        ...(egress && { egress: egress.map((s) => ({ to: s.peers, ports: s.ports })) }),
      },
    }),
  );
const containerPorts = fc.array(
  fc.record({
    name: pick('web', 'dns'),
    protocol,
    containerPort: fc.integer({ min: 1, max: 6 }),
  }),
  { maxLength: 2 },
);
const pod = (name: string, namespace: string, podIP: string) =>
  fc.record({ labels: pick(...LABELS), ports: containerPorts, hostNetwork: pick(false, false, true) }).map(
    ({ labels, ports: list, hostNetwork }): Pod => ({
      metadata: { name, namespace, uid: name, labels },
      spec: { hostNetwork: hostNetwork && namespace !== 'shop', containers: [{ name: 'c', ports: list }] },
      status: { phase: 'Running', podIP },
    }),
  );
const machine = (uid: string, address: string) =>
  fc.subarray(['web', 'gone']).map(
    (securityGroups): Machine => ({
      name: `vm-${uid}`,
      pod: { namespace: 'shop', name: uid, uid },
      profile: 'shop',
      size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
      placement: { subnet: 'a', zone: 'a', region: 'r', address },
      securityGroups,
      image: 'i',
    }),
  );
const objects = fc
  .record({
    machines: fc.tuple(machine('one', '10.0.0.1'), machine('two', '10.0.0.2')),
    pods: fc.tuple(
      pod('one', 'shop', '10.0.0.1'),
      pod('two', 'shop', '10.0.0.2'),
      pod('three', 'other', '10.0.1.1'),
    ),
    cluster: fc.tuple(groupRules, groupRules),
    web: fc.tuple(groupRules, groupRules),
    namespaces: fc.tuple(pick(...LABELS), pick(...LABELS)),
    policies: fc.array(policy, { maxLength: 2 }),
  })
  .map(
    ({ machines, pods, cluster, web, namespaces, policies }): Objects => ({
      machines,
      pods,
      policies,
      namespaces: [
        { metadata: { name: 'shop', labels: namespaces[0] } },
        { metadata: { name: 'other', labels: namespaces[1] } },
      ],
      groups: [
        {
          metadata: { name: 'cluster' },
          spec: { ingress: cluster[0], egress: cluster[1], addresses: ['10.0.1.0/30'] },
        },
        { metadata: { name: 'web' }, spec: { ingress: web[0], egress: web[1] } },
      ],
      prefixLists: [{ metadata: { name: 'office' }, spec: { entries: [{ cidr: '192.0.2.0/25' }] } }],
      network: { clusterSecurityGroup: 'cluster', node: { egress: [], kubeletClients: [] } },
    }),
  );
const flows = fc.record({
  direction: pick<Direction>('ingress', 'egress'),
  peer: pick(...ADDRESSES).map((address) => parseAddress(address) ?? 0),
  protocol: pick(6, 17, 132, 1),
  port: fc.integer({ min: 1, max: 9 }),
});

it('judges as the reference does', () => {
  fc.assert(
    fc.property(objects, fc.array(flows, { minLength: 20, maxLength: 20 }), (now, list) => {
      const [first] = now.machines as [Machine];
      const { firewall } = firewallOf(first, worldOf(now));
      if (firewall === undefined) throw new Error('the pod is known');
      for (const { port, ...rest } of list) {
        const flow: Flow = rest.protocol === 1 ? rest : { ...rest, port };
        const expected = groupsAllow(first, flow, now) && policiesAllow(now.pods[0] as Pod, flow, now);
        expect(judge(firewall, flow).allowed, `${formatAddress(flow.peer)} ${JSON.stringify(flow)}`).toBe(
          expected,
        );
      }
    }),
    { numRuns: 1000 },
  );
});
