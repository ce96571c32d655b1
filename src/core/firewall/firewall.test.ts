/** What may pass a machine, in tables: groups, policies, the node's own processes, and the reasons given. */
import type { NetworkPolicy, NetworkPolicySpec } from 'kubernetes-types/networking/v1.js';
import { describe, expect, it, test } from 'vitest';
import type { Machine } from '../machine/machine.ts';
import { parseAddress } from '../net/ipv4.ts';
import type { Pod } from '../pod.ts';
import { firewallOf } from './compile.ts';
import { type Flow, judge } from './judge.ts';
import { need } from './needs.ts';
import { type Group, type GroupRule, type Objects, worldOf } from './world.ts';

const SERVER = '10.0.0.2';

const machine = (uid: string, address: string, securityGroups: string[] = []): Machine => ({
  name: `vm-${uid}`,
  pod: { namespace: 'shop', name: uid, uid },
  profile: 'shop',
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet: 'a', zone: 'a', region: 'local-1', address },
  securityGroups,
  image: 'i',
});
const pod = (
  name: string,
  rest: { ip?: string; labels?: Record<string, string>; namespace?: string } = {},
): Pod => ({
  metadata: { name, namespace: rest.namespace ?? 'shop', uid: name, labels: rest.labels ?? {} },
  spec: {
    containers: [
      {
        name: 'main',
        ports: [
          { name: 'web', containerPort: 8080 },
          { name: 'dns', containerPort: 5353, protocol: 'UDP' },
        ],
      },
    ],
  },
  status: { phase: 'Running', ...(rest.ip && { podIP: rest.ip }) },
});
const group = (
  name: string,
  ingress: GroupRule[],
  egress: GroupRule[] = [],
  addresses: string[] = [],
): Group => ({
  metadata: { name },
  spec: { ingress, egress, addresses },
});
const all = (peer: GroupRule['peers'][number]): GroupRule => ({ protocol: '-1', peers: [peer] });
const anywhere = { cidr: '0.0.0.0/0' };

const objects = (difference: Partial<Objects> = {}): Objects => ({
  machines: [machine('db', '10.0.1.1'), machine('web', '10.0.1.2', ['web-sg'])],
  pods: [
    pod('db', { labels: { app: 'db' } }),
    pod('web', { labels: { app: 'web' } }),
    pod('outside', { ip: '10.0.3.7', labels: { app: 'web' }, namespace: 'other' }),
    pod('metrics', { ip: '10.0.3.8', labels: { app: 'metrics' }, namespace: 'kube-system' }),
  ],
  namespaces: [
    { metadata: { name: 'shop', labels: { team: 'a' } } },
    { metadata: { name: 'other', labels: { team: 'b' } } },
    { metadata: { name: 'kube-system' } },
  ],
  groups: [
    group('cluster', [all({ self: true })], [all(anywhere)], [`${SERVER}/32`]),
    group('web-sg', [{ protocol: 'tcp', ports: { from: 80, to: 90 }, peers: [anywhere] }], [all(anywhere)]),
  ],
  prefixLists: [{ metadata: { name: 'office' }, spec: { entries: [{ cidr: '192.0.2.0/24' }] } }],
  policies: [],
  network: {
    clusterSecurityGroup: 'cluster',
    node: {
      egress: [
        { cidr: `${SERVER}/32`, protocol: 'tcp', ports: { from: 6443, to: 6443 } },
        { cidr: '0.0.0.0/0', except: ['10.0.0.0/16'], protocol: 'tcp', ports: { from: 443, to: 443 } },
      ],
      kubeletClients: [
        { cidr: `${SERVER}/32` },
        { namespaceSelector: {}, podSelector: { matchLabels: { app: 'metrics' } } },
      ],
    },
  },
  ...difference,
});

const TABLE = { tcp: 6, udp: 17, icmp: 1, sctp: 132, gre: 47 } as const;
/** `in tcp 80 10.0.3.7`, `out udp 53 1.2.3.4`, `node tcp 443 1.2.3.4`. */
const flow = (words: string): Flow => {
  const [way, protocol, second, third] = words.split(' ') as [string, keyof typeof TABLE, string, string];
  return {
    direction: way === 'in' ? 'ingress' : 'egress',
    ...(way === 'in' ? {} : { from: way === 'node' ? 'node' : 'pod' }),
    peer: parseAddress(third ?? second) ?? Number.NaN,
    protocol: TABLE[protocol],
    ...(third === undefined ? {} : { port: Number(second) }),
  };
};
/** Nothing when it may pass, else the reason. */
const reason = (name: 'db' | 'web', words: string, difference: Partial<Objects> = {}): string | undefined => {
  const now = objects(difference);
  const of = now.machines.find(({ pod: { uid } }) => uid === name) as Machine;
  const { firewall } = firewallOf(of, worldOf(now));
  if (firewall === undefined) throw new Error('the pod is not known');
  const verdict = judge(firewall, flow(words));
  return verdict.allowed ? undefined : verdict.reason;
};

describe('the cluster security group', () => {
  test.each([
    ['db', 'in tcp 5432 10.0.0.2', undefined],
    ['db', 'in icmp 10.0.0.2', undefined],
    ['db', 'in gre 10.0.0.2', undefined],
    ['db', 'in tcp 5432 10.0.1.2', 'group cluster has no ingress rule for TCP 5432 from 10.0.1.2'],
    ['db', 'in gre 10.0.1.2', 'group cluster has no ingress rule for protocol 47 from 10.0.1.2'],
    ['db', 'out udp 53 192.0.2.1', undefined],
    ['web', 'in tcp 5432 10.0.1.1', 'group web-sg has no ingress rule for TCP 5432 from 10.0.1.1'],
    ['web', 'in tcp 80 10.0.1.1', undefined],
  ] as const)('%s: %s: %s', (name, words, expected) => {
    expect(reason(name, words)).toBe(expected);
  });
});

describe('rules of groups', () => {
  const web = (...ingress: GroupRule[]) => ({ groups: [group('cluster', []), group('web-sg', ingress)] });
  const ports = { from: 80, to: 90 };
  test.each<[string, GroupRule, string, boolean]>([
    ['the first port', { protocol: 'tcp', ports, peers: [anywhere] }, 'in tcp 80 10.9.9.9', true],
    ['the last port', { protocol: 'tcp', ports, peers: [anywhere] }, 'in tcp 90 10.9.9.9', true],
    ['below the ports', { protocol: 'tcp', ports, peers: [anywhere] }, 'in tcp 79 10.9.9.9', false],
    ['above the ports', { protocol: 'tcp', ports, peers: [anywhere] }, 'in tcp 91 10.9.9.9', false],
    ['another protocol', { protocol: 'tcp', ports, peers: [anywhere] }, 'in udp 80 10.9.9.9', false],
    ['a protocol by number', { protocol: '17', ports, peers: [anywhere] }, 'in udp 80 10.9.9.9', true],
    ['all ports', { protocol: 'udp', peers: [anywhere] }, 'in udp 9999 10.9.9.9', true],
    ['a protocol without ports', { protocol: '47', peers: [anywhere] }, 'in gre 10.9.9.9', true],
    ['echo', { protocol: 'icmp', peers: [anywhere] }, 'in icmp 10.9.9.9', true],
    ['echo, without a rule', { protocol: 'tcp', peers: [anywhere] }, 'in icmp 10.9.9.9', false],
    ['a network', { protocol: '-1', peers: [{ cidr: '10.9.0.0/16' }] }, 'in tcp 1 10.9.9.9', true],
    ['outside the network', { protocol: '-1', peers: [{ cidr: '10.8.0.0/16' }] }, 'in tcp 1 10.9.9.9', false],
    ['another group', { protocol: '-1', peers: [{ group: 'cluster' }] }, 'in tcp 1 10.0.1.1', true],
    ['not in the group', { protocol: '-1', peers: [{ group: 'cluster' }] }, 'in tcp 1 10.9.9.9', false],
    ['a group that is not', { protocol: '-1', peers: [{ group: 'gone' }] }, 'in tcp 1 10.0.1.1', false],
    ['its own group', { protocol: '-1', peers: [{ self: true }] }, 'in tcp 1 10.0.1.2', true],
    ['not its own group', { protocol: '-1', peers: [{ self: true }] }, 'in tcp 1 10.0.1.1', false],
    ['a prefix list', { protocol: '-1', peers: [{ prefixList: 'office' }] }, 'in tcp 1 192.0.2.9', true],
    ['not in the list', { protocol: '-1', peers: [{ prefixList: 'office' }] }, 'in tcp 1 192.0.3.9', false],
    ['an IPv6 network', { protocol: '-1', peers: [{ cidr: '::/0' }] }, 'in tcp 1 10.9.9.9', false],
  ])('%s', (_what, rule, words, allowed) => {
    expect(reason('web', words, web(rule)) === undefined).toBe(allowed);
  });

  it('add up over all groups of a machine', () => {
    const machines = [machine('db', '10.0.1.1'), machine('web', '10.0.1.2', ['one', 'two'])];
    const tcp = (port: number): GroupRule => ({
      protocol: 'tcp',
      ports: { from: port, to: port },
      peers: [anywhere],
    });
    const groups = [group('one', [tcp(80)]), group('two', [tcp(443)])];
    const ask = (port: number) => reason('web', `in tcp ${port} 10.9.9.9`, { machines, groups });
    expect([ask(80), ask(443)]).toEqual([undefined, undefined]);
    expect(ask(22)).toBe('groups one, two have no ingress rule for TCP 22 from 10.9.9.9');
  });
});

const policy = (spec: Partial<NetworkPolicySpec>, name = 'p'): NetworkPolicy => ({
  metadata: { name, namespace: 'shop' },
  spec: { podSelector: {}, ...spec },
});
const open = {
  groups: [
    group('cluster', [all(anywhere)], [all(anywhere)]),
    group('web-sg', [all(anywhere)], [all(anywhere)]),
  ],
};
const underPolicies = (words: string, ...policies: NetworkPolicy[]) =>
  reason('db', words, { ...open, policies });

describe('network policies', () => {
  test.each<[string, Partial<NetworkPolicySpec>, string, boolean]>([
    ['deny all in', {}, 'in tcp 80 10.0.3.7', false],
    ['deny all in leaves out', {}, 'out tcp 80 10.0.3.7', true],
    ['egress rules isolate egress', { egress: [{ ports: [{ port: 81 }] }] }, 'out tcp 80 10.0.3.7', false],
    ['no egress rules isolate nothing', { egress: [] }, 'out tcp 80 10.0.3.7', true],
    ['no types are as none at all', { policyTypes: [] }, 'in tcp 80 10.0.3.7', false],
    ['types decide: egress only', { policyTypes: ['Egress'] }, 'in tcp 80 10.0.3.7', true],
    ['types decide: no egress', { policyTypes: ['Ingress'], egress: [] }, 'out tcp 80 10.0.3.7', true],
    ['another pod is selected', { podSelector: { matchLabels: { app: 'web' } } }, 'in tcp 80 10.0.3.7', true],
    [
      'this pod is selected',
      { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['db'] }] } },
      'in tcp 80 10.0.3.7',
      false,
    ],
    ['allow all', { ingress: [{}] }, 'in gre 10.0.3.7', true],
    ['a port', { ingress: [{ ports: [{ port: 80 }] }] }, 'in tcp 80 10.0.3.7', true],
    ['a port is TCP unless it says', { ingress: [{ ports: [{ port: 80 }] }] }, 'in udp 80 10.0.3.7', false],
    ['UDP', { ingress: [{ ports: [{ port: 80, protocol: 'UDP' }] }] }, 'in udp 80 10.0.3.7', true],
    ['SCTP', { ingress: [{ ports: [{ port: 80, protocol: 'SCTP' }] }] }, 'in sctp 80 10.0.3.7', true],
    ['a protocol', { ingress: [{ ports: [{ protocol: 'UDP' }] }] }, 'in udp 9 10.0.3.7', true],
    ['ports mean no echo', { ingress: [{ ports: [{ protocol: 'TCP' }] }] }, 'in icmp 10.0.3.7', false],
    ['endPort', { ingress: [{ ports: [{ port: 80, endPort: 90 }] }] }, 'in tcp 90 10.0.3.7', true],
    ['beyond endPort', { ingress: [{ ports: [{ port: 80, endPort: 90 }] }] }, 'in tcp 91 10.0.3.7', false],
    ['a named port', { ingress: [{ ports: [{ port: 'web' }] }] }, 'in tcp 8080 10.0.3.7', true],
    [
      'a named port of another protocol',
      { ingress: [{ ports: [{ port: 'dns' }] }] },
      'in tcp 5353 10.0.3.7',
      false,
    ],
    ['a name that no port has', { ingress: [{ ports: [{ port: 'none' }] }] }, 'in tcp 80 10.0.3.7', false],
    ['pods of the namespace', { ingress: [{ from: [{ podSelector: {} }] }] }, 'in tcp 1 10.0.1.2', true],
    ['pods of another one', { ingress: [{ from: [{ podSelector: {} }] }] }, 'in tcp 1 10.0.3.7', false],
    [
      'a namespace',
      { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }] },
      'in tcp 1 10.0.3.7',
      true,
    ],
    [
      'another namespace',
      { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }] },
      'in tcp 1 10.0.3.8',
      false,
    ],
    [
      'namespace and pod, both',
      {
        ingress: [
          {
            from: [
              {
                namespaceSelector: { matchLabels: { team: 'b' } },
                podSelector: { matchLabels: { app: 'db' } },
              },
            ],
          },
        ],
      },
      'in tcp 1 10.0.3.7',
      false,
    ],
    [
      'namespace or pod',
      {
        ingress: [
          {
            from: [
              { namespaceSelector: { matchLabels: { team: 'b' } } },
              { podSelector: { matchLabels: { app: 'web' } } },
            ],
          },
        ],
      },
      'in tcp 1 10.0.1.2',
      true,
    ],
    [
      'a block',
      { ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.8/29'] } }] }] },
      'in tcp 1 192.0.2.7',
      true,
    ],
    [
      'what a block excepts',
      { ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.8/29'] } }] }] },
      'in tcp 1 192.0.2.15',
      false,
    ],
    [
      'what a block excepts, with bits set after the prefix',
      { ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.9/29'] } }] }] },
      'in tcp 1 192.0.2.15',
      false,
    ],
    [
      'beside what such a block excepts',
      { ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.1/24', except: ['192.0.2.9/29'] } }] }] },
      'in tcp 1 192.0.2.16',
      true,
    ],
    [
      'a block with an exception that nobody can read',
      { ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['::ffff:192.0.2.8/125'] } }] }] },
      'in tcp 1 192.0.2.7',
      false,
    ],
    ['a peer that says nothing we know', { ingress: [{ from: [{}] }] }, 'in tcp 1 10.0.1.2', false],
    [
      'a named port at its receivers',
      { egress: [{ to: [{ podSelector: {} }], ports: [{ port: 'web' }] }] },
      'out tcp 8080 10.0.1.2',
      true,
    ],
    [
      'a named port outside its receivers',
      { egress: [{ to: [{ podSelector: {} }], ports: [{ port: 'web' }] }] },
      'out tcp 8080 10.0.3.7',
      false,
    ],
    ['a named port of any pod', { egress: [{ ports: [{ port: 'web' }] }] }, 'out tcp 8080 10.0.3.7', true],
  ])('%s', (_what, spec, words, allowed) => {
    expect(underPolicies(words, policy(spec)) === undefined).toBe(allowed);
  });

  it('add up, and the reason names them all', () => {
    const one = policy({ ingress: [{ ports: [{ port: 80 }] }] }, 'one');
    const two = policy({ ingress: [{ ports: [{ port: 443 }] }] }, 'two');
    expect(underPolicies('in tcp 443 10.0.3.7', one, two)).toBeUndefined();
    expect(underPolicies('in tcp 22 10.0.3.7', one, two)).toBe(
      'policies shop/one, shop/two have no ingress rule for TCP 22 from 10.0.3.7',
    );
  });

  it('leave out protocols that they alone know, which the kernel would refuse with all the rest', () => {
    const ports = [{ protocol: 'QUIC', port: 443 }, { protocol: 'QUIC' }, { port: 80 }];
    const now = objects({ ...open, policies: [policy({ ingress: [{ ports }] })] });
    const { firewall } = firewallOf(now.machines[0] as Machine, worldOf(now));
    expect(firewall?.policies.ingress?.allows).toMatchObject([{ protocol: 6, ports: { from: 80, to: 80 } }]);
  });

  it('and groups must both allow', () => {
    const policies = [policy({ ingress: [{}] })];
    expect(reason('web', 'in tcp 22 10.0.3.7', { policies })).toContain('group web-sg');
    expect(reason('web', 'in tcp 80 10.0.3.7', { policies })).toBeUndefined();
  });

  it('mean neither pods that have ended nor those with the address of their node', () => {
    const from = policy({ ingress: [{ from: [{ namespaceSelector: {} }] }] });
    const outside = pod('outside', { ip: '10.0.3.7', namespace: 'other' });
    const ask = (peer: Pod) =>
      reason('db', 'in tcp 1 10.0.3.7', { ...open, policies: [from], pods: [pod('db'), peer] });
    expect(ask(outside)).toBeUndefined();
    expect(ask({ ...outside, status: { ...outside.status, phase: 'Succeeded' } })).toContain('shop/p');
    expect(ask({ ...outside, spec: { ...outside.spec, hostNetwork: true } })).toContain('shop/p');
  });
});

describe("the node's own processes", () => {
  const closed = [policy({ policyTypes: ['Ingress', 'Egress'] })];
  test.each([
    ['node tcp 6443 10.0.0.2', undefined],
    ['node tcp 443 192.0.2.1', undefined],
    ['node tcp 443 10.0.3.7', "the node's own processes have no rule for TCP 443 to 10.0.3.7"],
    ['node udp 53 192.0.2.1', "the node's own processes have no rule for UDP 53 to 192.0.2.1"],
    ['in tcp 10250 10.0.0.2', undefined],
    ['in tcp 10250 10.0.3.8', 'group cluster has no ingress rule for TCP 10250 from 10.0.3.8'],
    [
      'in tcp 10250 10.0.1.2',
      "port 10250 is the kubelet's, which answers the API server and metrics collectors only, not 10.0.1.2",
    ],
  ])('%s under closed policies: %s', (words, expected) => {
    expect(reason('db', words, { policies: closed })).toBe(expected);
  });

  it('are filtered by groups', () => {
    const groups = [group('cluster', [])];
    expect(reason('db', 'node tcp 6443 10.0.0.2', { groups })).toBe(
      'group cluster has no egress rule for TCP 6443 to 10.0.0.2',
    );
  });
});

test.each([
  ['out tcp 80 169.254.169.254', 'instance metadata is not available'],
  ['node tcp 80 169.254.169.254', 'instance metadata is not available'],
  ['out udp 53 169.254.0.1', 'link-local addresses are not routed'],
])('%s: %s', (words, expected) => {
  expect(reason('db', words, open)).toBe(expected);
});

describe('a firewall', () => {
  const needs = (difference: Partial<Objects>) => {
    const now = objects(difference);
    return firewallOf(now.machines[0] as Machine, worldOf(now)).needs;
  };

  it.each([{ pods: [] }, { network: undefined }])('is not made without %o, and waits for it', (missing) => {
    const now = objects(missing);
    expect(firewallOf(now.machines[0] as Machine, worldOf(now))).toEqual({
      firewall: undefined,
      needs: new Set([need.pod('shop', 'db'), need.network]),
    });
  });

  it('is not made from a pod that has no more than the name of the one that the machine is for', () => {
    const another = pod('db');
    const now = objects({ pods: [{ ...another, metadata: { ...another.metadata, uid: 'another' } }] });
    expect(firewallOf(now.machines[0] as Machine, worldOf(now)).firewall).toBeUndefined();
  });

  it('needs what it was made from, and no more', () => {
    const clients = [need.namespaces, need.pods('shop'), need.pods('other'), need.pods('kube-system')];
    const always = [
      need.network,
      need.pod('shop', 'db'),
      need.policies('shop'),
      need.group('cluster'),
      ...clients,
    ];
    expect(needs({})).toEqual(new Set(always));
    const groups = [group('cluster', [all({ group: 'web-sg' })], [all({ prefixList: 'office' })])];
    expect(needs({ groups })).toEqual(new Set([...always, need.group('web-sg'), need.prefixList('office')]));
  });
});
