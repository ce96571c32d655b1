/**
 * The cases of Kubernetes' own conformance tests of NetworkPolicies (test/e2e/network/netpol, Kubernetes 1.36), under
 * their names. There as here nine pods in three namespaces all try to reach each other, and a case says who may not.
 */
import type { NetworkPolicy, NetworkPolicyPort, NetworkPolicySpec } from 'kubernetes-types/networking/v1.js';
import { describe, expect, it } from 'vitest';
import type { Labels } from '../labels.ts';
import type { Machine } from '../machine/machine.ts';
import { parseAddress } from '../net/ipv4.ts';
import type { Pod } from '../pod.ts';
import { firewallOf } from './compile.ts';
import { judge } from './judge.ts';
import { worldOf } from './world.ts';

const NAMESPACES = ['x', 'y', 'z'] as const;
const NAMES = ['a', 'b', 'c'] as const;
type Who = `${(typeof NAMESPACES)[number]}/${(typeof NAMES)[number]}`;
const PODS = NAMESPACES.flatMap((namespace) => NAMES.map((name): Who => `${namespace}/${name}`));
const PROTOCOLS = { TCP: 6, UDP: 17, SCTP: 132 } as const;
type Protocol = keyof typeof PROTOCOLS;

const addressOf = (who: Who): string => `10.0.${PODS.indexOf(who)}.1`;
const split = (who: Who) => who.split('/') as [string, string];

// --- what is there ------------------------------------------------------------------------------------------

/** Labels besides those that each has, by pod and by namespace. */
interface Extra {
  readonly pods?: Readonly<Partial<Record<Who, Labels>>>;
  readonly namespaces?: Readonly<Record<string, Labels>>;
}

const serving = [80, 81].flatMap((port) =>
  (Object.keys(PROTOCOLS) as Protocol[]).map((protocol) => ({
    name: `serve-${port}-${protocol.toLowerCase()}`,
    containerPort: port,
    protocol,
  })),
);
const machineOf = (who: Who): Machine => {
  const [namespace, name] = split(who);
  return {
    name: `vm-${who}`,
    pod: { namespace, name, uid: who },
    profile: 'p',
    size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
    placement: { subnet: 'a', zone: 'a', region: 'r', address: addressOf(who) },
    securityGroups: [],
    image: '',
  };
};
const podOf = (who: Who, labels: Labels = {}): Pod => {
  const [namespace, name] = split(who);
  return {
    metadata: { namespace, name, uid: who, labels: { pod: name, ...labels } },
    spec: { containers: [{ name: 'main', ports: serving }] },
  };
};
const all = [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }];

/** Firewalls of all pods under these policies. */
const firewallsUnder = (policies: readonly NetworkPolicy[], extra: Extra) => {
  const world = worldOf({
    machines: PODS.map(machineOf),
    pods: PODS.map((who) => podOf(who, extra.pods?.[who])),
    namespaces: NAMESPACES.map((name) => ({
      metadata: {
        name,
        labels: { ns: name, 'kubernetes.io/metadata.name': name, ...extra.namespaces?.[name] },
      },
    })),
    groups: [{ metadata: { name: 'cluster' }, spec: { ingress: all, egress: all } }],
    prefixLists: [],
    policies,
    network: { clusterSecurityGroup: 'cluster', node: { egress: [], kubeletClients: [] } },
  });
  return (who: Who) => {
    const { firewall } = firewallOf(machineOf(who), world);
    if (firewall === undefined) throw new Error(`no firewall for ${who}`);
    return firewall;
  };
};

// --- words for policies -------------------------------------------------------------------------------------

const policy = (namespace: string, spec: Partial<NetworkPolicySpec>): NetworkPolicy => ({
  metadata: { namespace, name: 'p' },
  spec: { podSelector: {}, ...spec },
});
/** As the API server stores them, with their types. */
const ingress = (spec: Partial<NetworkPolicySpec>, namespace = 'x') =>
  policy(namespace, { policyTypes: ['Ingress'], ...spec });
const egress = (spec: Partial<NetworkPolicySpec>, namespace = 'x') =>
  policy(namespace, { policyTypes: ['Egress'], ...spec });
const pod = (...values: readonly string[]) => ({
  podSelector:
    values.length === 1
      ? { matchLabels: { pod: values[0] as string } }
      : { matchExpressions: [{ key: 'pod', operator: 'In', values: [...values] }] },
});
const ns = (value: string, key = 'ns') => ({ namespaceSelector: { matchLabels: { [key]: value } } });
const nsWhere = (operator: 'In' | 'NotIn', value: string, key = 'ns') => ({
  namespaceSelector: { matchExpressions: [{ key, operator, values: [value] }] },
});
const A = pod('a');
const block = (cidr: string, ...except: string[]) => ({ ipBlock: { cidr, except } });
const host = (who: Who): string => `${addressOf(who)}/32`;
const port = (number: number | string, protocol?: Protocol): NetworkPolicyPort => ({
  port: number,
  ...(protocol && { protocol }),
});

// --- words for who reaches whom -----------------------------------------------------------------------------

type Reaches = (from: Who, to: Who) => boolean;
const every: Reaches = () => true;
const within = (who: Who, namespace: string): boolean => who.startsWith(`${namespace}/`);
/** All but what comes to these; `from` says who may all the same. */
const into =
  (is: (to: Who) => boolean, from: (from: Who) => boolean = () => false): Reaches =>
  (source, to) =>
    !is(to) || from(source);
const outOf =
  (is: (from: Who) => boolean, to: (to: Who) => boolean = () => false): Reaches =>
  (from, target) =>
    !is(from) || to(target);
const both =
  (one: Reaches, other: Reaches): Reaches =>
  (from, to) =>
    one(from, to) && other(from, to);
const one =
  (...who: readonly Who[]) =>
  (is: Who): boolean =>
    who.includes(is);
const ofX = (who: Who): boolean => within(who, 'x');

interface Probe {
  readonly port: number;
  readonly protocol?: Protocol;
  readonly reaches: Reaches;
}
interface Case {
  readonly name: string;
  readonly policies: readonly NetworkPolicy[];
  readonly extra?: Extra;
  readonly probes: readonly Probe[];
}
const on = (number: number, reaches: Reaches, protocol: Protocol = 'TCP'): Probe => ({
  port: number,
  protocol,
  reaches,
});

const denyIngress = ingress({});
const fromYOn = (number: number | string, protocol: Protocol = 'TCP') =>
  ingress({ ...A, ingress: [{ from: [ns('y')], ports: [port(number, protocol)] }] });
const onlyFromY = into(one('x/a'), (from) => within(from, 'y'));
const nothingToA = into(one('x/a'));
const onlyB = into(one('x/a'), one('x/b'));
const yA = { ...ns('y'), ...A };
const allowUpdated = ingress({ ...A, ingress: [{ from: [ns('updated', 'ns2')] }] });
const allowUpdatedPod = ingress({
  ...A,
  ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'b', pod2: 'updated' } } }] }],
});
const isolateTargets = ingress({ podSelector: { matchLabels: { target: 'isolated' } } });
const toBlock = (...of: readonly string[]) =>
  egress({ ...A, egress: [{ to: [block(...(of as [string]))] }] });

const cases: readonly Case[] = [
  {
    name: "should support a 'default-deny-ingress' policy",
    policies: [denyIngress],
    probes: [on(80, into(ofX)), on(80, into(ofX), 'UDP'), on(80, into(ofX), 'SCTP')],
  },
  {
    name: "should support a 'default-deny-all' policy",
    policies: [policy('x', { policyTypes: ['Ingress', 'Egress'] })],
    probes: [on(80, both(into(ofX), outOf(ofX)))],
  },
  {
    name: 'should enforce policy to allow traffic from pods within server namespace based on PodSelector',
    policies: [ingress({ ...A, ingress: [{ from: [pod('b')] }] })],
    probes: [on(80, onlyB)],
  },
  {
    name: 'should enforce policy to allow ingress traffic for a target',
    policies: [
      denyIngress,
      ingress({ ...A, ingress: [{ from: [{ podSelector: {}, namespaceSelector: {} }] }] }),
    ],
    probes: [
      on(
        80,
        into((to) => ofX(to) && to !== 'x/a'),
      ),
    ],
  },
  {
    name: 'should enforce policy to allow ingress traffic from pods in all namespaces',
    policies: [ingress({ ...A, ingress: [{ from: [{ namespaceSelector: { matchLabels: {} } }] }] })],
    probes: [on(80, every)],
  },
  {
    name: 'should enforce policy to allow traffic only from a different namespace, based on NamespaceSelector',
    policies: [ingress({ ...A, ingress: [{ from: [ns('y')] }] })],
    probes: [on(80, onlyFromY)],
  },
  {
    name: 'should enforce policy based on PodSelector with MatchExpressions',
    policies: [
      ingress({
        ...A,
        ingress: [
          { from: [{ podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b'] }] } }] },
        ],
      }),
    ],
    probes: [on(80, onlyB)],
  },
  {
    name: 'should enforce policy based on NamespaceSelector with MatchExpressions',
    policies: [ingress({ ...A, ingress: [{ from: [nsWhere('In', 'y')] }] })],
    probes: [on(80, onlyFromY)],
  },
  {
    name: 'should enforce policy based on PodSelector or NamespaceSelector',
    policies: [ingress({ ...A, ingress: [{ from: [nsWhere('NotIn', 'x'), pod('b')] }] })],
    probes: [
      on(
        80,
        into(one('x/a'), (from) => !ofX(from) || from === 'x/b'),
      ),
    ],
  },
  {
    name: 'should enforce policy based on PodSelector and NamespaceSelector',
    policies: [ingress({ ...A, ingress: [{ from: [{ ...nsWhere('NotIn', 'x'), ...pod('b') }] }] })],
    probes: [on(80, into(one('x/a'), one('y/b', 'z/b')))],
  },
  {
    name: 'should enforce policy based on Multiple PodSelectors and NamespaceSelectors',
    policies: [ingress({ ...A, ingress: [{ from: [{ ...nsWhere('NotIn', 'x'), ...pod('b', 'c') }] }] })],
    probes: [on(80, into(one('x/a'), one('y/b', 'y/c', 'z/b', 'z/c')))],
  },
  {
    name: 'should enforce policy based on any PodSelectors',
    policies: [ingress({ ...A, ingress: [{ from: [pod('b'), pod('c')] }] })],
    probes: [on(80, into(one('x/a'), one('x/b', 'x/c')))],
  },
  {
    name: 'should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector',
    policies: [ingress({ ...A, ingress: [{ from: [yA] }] })],
    probes: (['TCP', 'UDP', 'SCTP'] as const).map((of) => on(80, into(one('x/a'), one('y/a')), of)),
  },
  ...(['TCP', 'UDP', 'SCTP'] as const).map(
    (of): Case => ({
      name: `should enforce policy based on Ports (${of})`,
      policies: [fromYOn(81, of)],
      probes: [on(81, onlyFromY, of), on(80, nothingToA, of)],
    }),
  ),
  {
    name: 'should enforce multiple, stacked policies with overlapping podSelectors',
    policies: [fromYOn(81), fromYOn(80)],
    probes: [on(81, onlyFromY), on(80, onlyFromY)],
  },
  {
    name: 'should support allow-all policy',
    policies: [ingress({ podSelector: { matchLabels: {} }, ingress: [{}] })],
    probes: [on(80, every), on(81, every)],
  },
  {
    name: 'should allow ingress access on one named port',
    policies: [ingress({ ingress: [{ ports: [port('serve-81-tcp')] }] })],
    probes: [on(81, every), on(80, into(ofX))],
  },
  {
    name: 'should allow ingress access from namespace on one named port',
    policies: [fromYOn('serve-80-tcp')],
    probes: [on(80, onlyFromY), on(81, nothingToA)],
  },
  {
    name: 'should allow egress access on one named port',
    policies: [egress({ egress: [{ ports: [port('serve-80-tcp')] }] })],
    probes: [on(80, every), on(81, outOf(ofX))],
  },
  {
    name: 'should enforce updated policy: before',
    policies: [ingress({ ingress: [{}] })],
    probes: [on(81, every)],
  },
  {
    name: 'should enforce updated policy: after',
    policies: [ingress({ ingress: [] })],
    probes: [on(81, into(ofX))],
  },
  {
    name: 'should allow ingress access from updated namespace: before',
    policies: [allowUpdated],
    probes: [on(80, nothingToA)],
  },
  {
    name: 'should allow ingress access from updated namespace: after',
    policies: [allowUpdated],
    extra: { namespaces: { y: { ns2: 'updated' } } },
    probes: [on(80, onlyFromY)],
  },
  {
    name: 'should allow ingress access from updated pod: before',
    policies: [allowUpdatedPod],
    probes: [on(80, nothingToA)],
  },
  {
    name: 'should allow ingress access from updated pod: after',
    policies: [allowUpdatedPod],
    extra: { pods: { 'x/b': { pod2: 'updated' } } },
    probes: [on(80, onlyB)],
  },
  {
    name: 'should deny ingress from pods on other namespaces',
    policies: [ingress({ ingress: [{ from: [{ podSelector: { matchLabels: {} } }] }] })],
    probes: [on(80, into(ofX, ofX))],
  },
  {
    name: 'should deny ingress access to updated pod: before',
    policies: [isolateTargets],
    probes: [on(80, every)],
  },
  {
    name: 'should deny ingress access to updated pod: after',
    policies: [isolateTargets],
    extra: { pods: { 'x/a': { target: 'isolated' } } },
    probes: [on(80, nothingToA)],
  },
  {
    name: 'should deny egress from pods based on PodSelector',
    policies: [egress(A)],
    probes: [on(80, outOf(one('x/a')))],
  },
  {
    name: 'should deny egress from all pods in a namespace',
    policies: [egress({})],
    probes: [on(80, outOf(ofX))],
  },
  {
    name: 'should work with Ingress, Egress specified together',
    policies: [
      policy('x', {
        ...A,
        policyTypes: ['Egress', 'Ingress'],
        ingress: [{ from: [pod('b')] }],
        egress: [{ ports: [port(80)] }],
      }),
    ],
    probes: [on(80, onlyB), on(81, both(onlyB, outOf(one('x/a'))))],
  },
  {
    name: 'should support denying of egress traffic on the client side (even if the server explicitly allows this traffic)',
    policies: [
      egress({ ...A, egress: [{ to: [yA] }] }),
      ...['a', 'b'].map((name) =>
        ingress({ ...pod(name), ingress: [{ from: [{ ...ns('x'), ...A }] }] }, 'y'),
      ),
    ],
    probes: [on(80, both(outOf(one('x/a'), one('y/a')), into(one('y/a', 'y/b'), one('x/a'))))],
  },
  {
    name: 'should enforce egress policy allowing traffic to a server in a different namespace based on PodSelector and NamespaceSelector',
    policies: [egress({ ...A, egress: [{ to: [yA] }] })],
    probes: [on(80, outOf(one('x/a'), one('y/a')))],
  },
  {
    name: 'should enforce ingress policy allowing any port traffic to a server on a specific protocol',
    policies: [ingress({ ...A, ingress: [{ ports: [{ protocol: 'TCP' }] }] })],
    probes: [on(80, every), on(81, every), on(80, nothingToA, 'UDP')],
  },
  {
    name: 'should enforce multiple ingress policies with ingress allow-all policy taking precedence',
    policies: [ingress({ ingress: [{ ports: [port(80)] }] }), ingress({ ingress: [{}] })],
    probes: [on(80, every), on(81, every)],
  },
  {
    name: 'should enforce multiple egress policies with egress allow-all policy taking precedence',
    policies: [egress({ egress: [{ ports: [port(80)] }] }), egress({ egress: [{}] })],
    probes: [on(80, every), on(81, every)],
  },
  { name: 'should stop enforcing policies after they are deleted', policies: [], probes: [on(80, every)] },
  {
    name: 'should allow egress access to server in CIDR block',
    policies: [toBlock(host('y/b'))],
    probes: [on(80, outOf(one('x/a'), one('y/b')))],
  },
  {
    name: 'should enforce except clause while egress access to server in CIDR block',
    policies: [toBlock('10.0.0.0/16', host('x/b'))],
    probes: [
      on(
        80,
        outOf(one('x/a'), (to) => to !== 'x/b'),
      ),
    ],
  },
  {
    name: 'should ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed',
    policies: [toBlock('10.0.0.0/16', host('x/b')), toBlock(host('x/b'))],
    probes: [on(80, every)],
  },
  {
    name: 'should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector',
    policies: [egress({ ...A, egress: [{}] }), ingress(A)],
    probes: [on(80, nothingToA)],
  },
  {
    name: "should not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP",
    policies: [denyIngress, ingress({ ...A, ingress: [{ ports: [port(81, 'SCTP')] }] })],
    probes: [on(81, into(ofX))],
  },
  {
    name: "should properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't support SCTP",
    policies: [ingress({ ...A, ingress: [{ ports: [port(80, 'SCTP')] }] })],
    probes: [on(81, nothingToA)],
  },
  {
    name: 'should not allow access by TCP when a policy specifies only UDP',
    policies: [ingress({ ...A, ingress: [{ ports: [port(81, 'UDP')] }] })],
    probes: [on(81, nothingToA), on(81, every, 'UDP')],
  },
  {
    name: 'should enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label',
    policies: [ingress({ ...A, ingress: [{ from: [ns('y', 'kubernetes.io/metadata.name')] }] })],
    probes: [on(80, onlyFromY)],
  },
  {
    name: 'should enforce policy based on NamespaceSelector with MatchExpressions using default ns label',
    policies: [egress({ ...A, egress: [{ to: [nsWhere('NotIn', 'y', 'kubernetes.io/metadata.name')] }] })],
    probes: [
      on(
        80,
        outOf(one('x/a'), (to) => !within(to, 'y')),
      ),
    ],
  },
];

describe('NetworkPolicy between server and client', () => {
  it.each(cases)('$name', ({ policies, extra = {}, probes }) => {
    const firewalls = firewallsUnder(policies, extra);
    for (const { port: number, protocol = 'TCP', reaches } of probes) {
      const flow = { protocol: PROTOCOLS[protocol], port: number };
      // A pod reaches itself without a filter.
      const pairs = PODS.flatMap((from) => PODS.filter((to) => to !== from).map((to) => ({ from, to })));
      const peerOf = (who: Who): number => parseAddress(addressOf(who)) as number;
      const seen = pairs.filter(
        ({ from, to }) =>
          judge(firewalls(from), { ...flow, direction: 'egress', from: 'pod', peer: peerOf(to) }).allowed &&
          judge(firewalls(to), { ...flow, direction: 'ingress', peer: peerOf(from) }).allowed,
      );
      const expected = pairs.filter(({ from, to }) => reaches(from, to));
      expect(seen, `${protocol} ${number}`).toEqual(expected);
    }
  });
});
