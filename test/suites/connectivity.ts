/**
 * Who reaches whom under which groups and policies, tried with real packets. Every machine, with a guest or
 * without one, passes this suite with the same expectations; each answer of the kernel is held against the
 * judgement of the same firewall, too.
 */
import type { NetworkPolicy, NetworkPolicySpec } from 'kubernetes-types/networking/v1.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_ADDRESS, ROUTER_MAC } from '../../src/compute/render/link.ts';
import type { Firewall } from '../../src/core/firewall/firewall.ts';
import { judge } from '../../src/core/firewall/judge.ts';
import type { Group, GroupRule, List } from '../../src/core/firewall/world.ts';
import { parseAddress } from '../../src/core/net/ipv4.ts';
import { until } from '../../src/host/wait.ts';
import { counterAt, refusedAt, type Witness, witness } from '../support/filters.ts';
import {
  ETHERTYPE,
  frame,
  ipv4,
  PORT,
  sctpProbe,
  sendFrames,
  sendPacket,
  sendUdp,
  udp,
  unreachable,
} from '../support/frames.ts';

/** Pods `a` (group front) and `b` (group back), and the node of `c` (the cluster security group). */
export type MachineParty = 'a' | 'b' | 'c';
/** Control plane, a pod of the ordinary node (namespace other), a host outside the VPC. */
export type OtherParty = 'control' | 'plain' | 'far';
export type Party = MachineParty | OtherParty;
type Protocol = 'tcp' | 'udp' | 'sctp' | 'icmp';

/** Group names of `a` and `b`. */
export const FRONT = 'connectivity-front';
export const BACK = 'connectivity-back';
export const LIST = 'connectivity-list';
/** Namespaces: of the machines' pods, and of `plain`. */
export const NS = 'connectivity';
export const OTHER_NS = 'connectivity-other';

/** What serves on every party: HTTP, and UDP that answers. */
export const HTTP = 8080;
export const UDP = 8081;
/** Ports that nobody serves: what gets there is answered with a refusal by the host, not by the filter. */
export const CLOSED_TCP = 8088;
const CLOSED_UDP = 8089;
/** No host here speaks SCTP: what gets there is answered with a refusal of the protocol, whatever the port. */
const SCTP = 8090;
const KUBELET = 10250;
const API_SERVER = 6443;
const DNS = 53;

/** What a scenario puts in place. */
export interface State {
  readonly groups: readonly Group[];
  readonly lists: readonly List[];
  readonly policies: readonly NetworkPolicy[];
}

/** Machines to run the suite on. */
export interface Place {
  address(party: Party): string;
  /** Puts groups, lists and policies in place, and resolves when all machines are filtered by them. */
  apply(state: State): Promise<void>;
  /** The firewall that a machine should have now. */
  firewall(machine: MachineParty): Firewall;
  /** Runs a shell script as a party; busybox, agnhost and perl are on its PATH. */
  run(party: Party, script: string): Promise<string>;
  /** Namespace where a machine's filter is. */
  outside(machine: MachineParty): string;
}

type Probe = readonly [
  from: Party,
  protocol: Protocol,
  port: number | undefined,
  to: Party,
  allowed: boolean,
];

const yes = (from: Party, protocol: Protocol, port: number | undefined, to: Party): Probe =>
  [from, protocol, port, to, true] as const;
const no = (from: Party, protocol: Protocol, port: number | undefined, to: Party): Probe =>
  [from, protocol, port, to, false] as const;

/** The peer that everybody is. */
export const anywhere = { cidr: '0.0.0.0/0' };
const all: GroupRule = { protocol: '-1', peers: [anywhere] };
/** A rule for one port of TCP. */
export const tcp = (port: number, ...peers: GroupRule['peers']): GroupRule => ({
  protocol: 'tcp',
  ports: { from: port, to: port },
  peers,
});
/**
 * A group that keeps the node of its machines in the cluster, whatever else it allows: groups filter the node's
 * own traffic, too (spec/fargate.md §6.1), and a guest is asked by way of its kubelet.
 */
export const group = (
  name: string,
  ingress: readonly GroupRule[],
  egress: readonly GroupRule[] = [all],
): Group => ({
  metadata: { name },
  spec: { ingress: [...ingress, tcp(KUBELET, anywhere)], egress: [...egress, tcp(API_SERVER, anywhere)] },
});
const policy = (name: string, spec: Partial<NetworkPolicySpec>): NetworkPolicy => ({
  metadata: { name, namespace: NS },
  spec: { podSelector: {}, ...spec },
});
const OPEN = [group(FRONT, [all]), group(BACK, [all])];

interface Scenario {
  readonly name: string;
  readonly groups?: readonly Group[];
  readonly lists?: readonly List[];
  readonly policies?: readonly NetworkPolicy[];
  readonly probes: readonly Probe[];
}

/** The scenarios: what is in place, and who gets through. */
const scenarios = (address: (party: Party) => string): readonly Scenario[] => {
  const host = (party: Party) => ({ cidr: `${address(party)}/32` });
  const block = (cidr: string, ...except: string[]) => ({ ipBlock: { cidr, except } });
  const within = (spec: object) => ({ policyTypes: ['Ingress'], ...spec });
  return [
    {
      name: 'groups without rules',
      groups: [group(FRONT, [], []), { metadata: { name: BACK }, spec: {} }],
      probes: [
        no('a', 'tcp', HTTP, 'b'),
        no('a', 'udp', UDP, 'far'),
        no('a', 'icmp', undefined, 'plain'),
        no('plain', 'tcp', HTTP, 'a'),
        no('control', 'tcp', KUBELET, 'b'),
        no('far', 'icmp', undefined, 'b'),
      ],
    },
    {
      name: 'groups that allow everything',
      groups: OPEN,
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        yes('a', 'udp', UDP, 'b'),
        yes('a', 'icmp', undefined, 'b'),
        yes('b', 'tcp', CLOSED_TCP, 'a'),
        yes('b', 'udp', CLOSED_UDP, 'a'),
        yes('plain', 'tcp', HTTP, 'a'),
        yes('plain', 'icmp', undefined, 'b'),
        yes('far', 'udp', UDP, 'a'),
        yes('a', 'tcp', HTTP, 'far'),
        yes('a', 'icmp', undefined, 'control'),
        no('a', 'tcp', KUBELET, 'b'),
        no('c', 'tcp', KUBELET, 'a'),
      ],
    },
    {
      name: 'one port of one protocol, no way out',
      groups: [group(FRONT, []), group(BACK, [tcp(HTTP, anywhere)], [])],
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        no('a', 'tcp', CLOSED_TCP, 'b'),
        no('a', 'udp', HTTP, 'b'),
        no('a', 'icmp', undefined, 'b'),
        no('b', 'tcp', HTTP, 'plain'),
        no('b', 'icmp', undefined, 'a'),
      ],
    },
    {
      name: 'a range of ports, and ICMP by its number',
      groups: [
        group(FRONT, []),
        group(BACK, [
          { protocol: '17', ports: { from: UDP, to: CLOSED_UDP - 1 }, peers: [anywhere] },
          { protocol: '1', peers: [host('a')] },
        ]),
      ],
      probes: [
        yes('a', 'udp', UDP, 'b'),
        yes('a', 'udp', CLOSED_UDP - 1, 'b'),
        no('a', 'udp', CLOSED_UDP, 'b'),
        no('a', 'udp', UDP - 1, 'b'),
        yes('a', 'icmp', undefined, 'b'),
        no('plain', 'icmp', undefined, 'b'),
      ],
    },
    {
      name: 'SCTP by its number and among all protocols, by its name in a policy',
      groups: [group(FRONT, [all]), group(BACK, [{ protocol: '132', peers: [host('a'), host('plain')] }])],
      policies: [
        policy(
          'sctp',
          within({
            podSelector: { matchLabels: { app: 'a' } },
            ingress: [{ ports: [{ protocol: 'SCTP', port: SCTP }] }],
          }),
        ),
      ],
      probes: [
        yes('a', 'sctp', SCTP, 'b'),
        yes('plain', 'sctp', SCTP + 1, 'b'),
        no('far', 'sctp', SCTP + 2, 'b'),
        no('a', 'tcp', SCTP, 'b'),
        yes('control', 'sctp', SCTP, 'a'),
        no('far', 'sctp', SCTP + 1, 'a'),
        no('plain', 'udp', SCTP, 'a'),
        yes('b', 'sctp', SCTP + 2, 'control'),
      ],
    },
    {
      name: 'another group and the own one',
      groups: [
        group(FRONT, [{ protocol: '-1', peers: [{ self: true }] }]),
        group(BACK, [tcp(HTTP, { group: FRONT })]),
      ],
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        no('plain', 'tcp', HTTP, 'b'),
        no('c', 'tcp', HTTP, 'b'),
        no('b', 'tcp', HTTP, 'a'),
      ],
    },
    {
      name: 'egress to one group and one port',
      groups: [group(FRONT, [], [tcp(HTTP, { group: BACK })]), group(BACK, [all])],
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        no('a', 'tcp', CLOSED_TCP, 'b'),
        no('a', 'tcp', HTTP, 'plain'),
        no('a', 'tcp', HTTP, 'far'),
        no('a', 'udp', UDP, 'b'),
      ],
    },
    {
      name: 'a prefix list',
      groups: [group(FRONT, []), group(BACK, [{ protocol: '-1', peers: [{ prefixList: LIST }] }])],
      lists: [{ metadata: { name: LIST }, spec: { entries: [host('plain'), host('far')] } }],
      probes: [
        yes('plain', 'tcp', HTTP, 'b'),
        yes('far', 'udp', UDP, 'b'),
        no('a', 'tcp', HTTP, 'b'),
        no('control', 'icmp', undefined, 'b'),
      ],
    },
    {
      name: 'a policy that denies all that comes in',
      groups: OPEN,
      policies: [policy('deny-in', { podSelector: { matchLabels: { app: 'b' } } })],
      probes: [
        no('a', 'tcp', HTTP, 'b'),
        no('plain', 'icmp', undefined, 'b'),
        yes('a', 'tcp', HTTP, 'plain'),
        yes('b', 'tcp', HTTP, 'a'),
        yes('control', 'tcp', KUBELET, 'b'),
      ],
    },
    {
      name: 'a policy that denies all that goes out',
      groups: OPEN,
      policies: [policy('deny-out', { policyTypes: ['Egress'] })],
      probes: [
        no('a', 'tcp', HTTP, 'b'),
        no('b', 'udp', UDP, 'plain'),
        no('a', 'icmp', undefined, 'far'),
        yes('plain', 'tcp', HTTP, 'b'),
        yes('plain', 'udp', UDP, 'a'),
      ],
    },
    {
      name: 'a policy with a port, an endPort and a named port',
      groups: OPEN,
      policies: [
        policy(
          'ports',
          within({
            ingress: [
              { ports: [{ port: 'web' }] },
              { ports: [{ port: UDP, endPort: CLOSED_UDP - 1, protocol: 'UDP' }] },
            ],
          }),
        ),
      ],
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        no('a', 'tcp', CLOSED_TCP, 'b'),
        yes('a', 'udp', UDP, 'b'),
        no('a', 'udp', CLOSED_UDP, 'b'),
        no('a', 'icmp', undefined, 'b'),
      ],
    },
    {
      name: 'policies by pods and by namespaces',
      groups: OPEN,
      policies: [
        policy('pods', {
          podSelector: { matchLabels: { app: 'b' } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: 'a' } } }] }],
        }),
        policy('namespaces', {
          podSelector: { matchLabels: { app: 'a' } },
          ingress: [
            {
              from: [
                {
                  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': OTHER_NS } },
                  podSelector: { matchLabels: { app: 'plain' } },
                },
              ],
            },
          ],
        }),
      ],
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        no('plain', 'tcp', HTTP, 'b'),
        no('far', 'tcp', HTTP, 'b'),
        yes('plain', 'tcp', HTTP, 'a'),
        no('b', 'tcp', HTTP, 'a'),
      ],
    },
    {
      name: 'a policy with a block and its exceptions',
      groups: OPEN,
      policies: [
        policy('blocks', within({ ingress: [{ from: [block('10.42.0.0/16', `${address('plain')}/32`)] }] })),
      ],
      probes: [
        yes('a', 'tcp', HTTP, 'b'),
        no('plain', 'tcp', HTTP, 'b'),
        no('far', 'udp', UDP, 'b'),
        yes('control', 'icmp', undefined, 'b'),
      ],
    },
    {
      name: 'a named port of the pods that egress goes to',
      groups: OPEN,
      policies: [
        policy('out', {
          podSelector: { matchLabels: { app: 'a' } },
          policyTypes: ['Egress'],
          egress: [{ to: [{ podSelector: {} }], ports: [{ port: 'web' }] }],
        }),
      ],
      probes: [yes('a', 'tcp', HTTP, 'b'), no('a', 'tcp', HTTP, 'plain'), no('a', 'tcp', CLOSED_TCP, 'b')],
    },
    {
      name: 'groups and policies, which must both allow',
      groups: [group(FRONT, []), group(BACK, [tcp(HTTP, anywhere), tcp(CLOSED_TCP, anywhere)])],
      policies: [
        policy('both', within({ ingress: [{ ports: [{ port: HTTP }, { port: UDP, protocol: 'UDP' }] }] })),
      ],
      probes: [
        yes('plain', 'tcp', HTTP, 'b'),
        no('plain', 'tcp', CLOSED_TCP, 'b'),
        no('plain', 'udp', UDP, 'b'),
      ],
    },
    {
      name: "the node's own processes",
      groups: OPEN,
      policies: [policy('closed', { policyTypes: ['Ingress', 'Egress'] })],
      probes: [
        yes('c', 'tcp', API_SERVER, 'control'),
        yes('c', 'tcp', DNS, 'control'),
        no('c', 'tcp', HTTP, 'control'),
        no('c', 'tcp', HTTP, 'plain'),
        no('c', 'icmp', undefined, 'b'),
        yes('control', 'tcp', KUBELET, 'a'),
        no('plain', 'tcp', KUBELET, 'a'),
        no('far', 'tcp', KUBELET, 'b'),
      ],
    },
  ];
};

const title = ([from, protocol, port, to, allowed]: Probe): string =>
  `${from} ${allowed ? 'reaches' : 'does not reach'} ${to} by ${protocol}${port === undefined ? '' : ` ${port}`}`;

const isMachine = (party: Party): party is MachineParty => ['a', 'b', 'c'].includes(party);
const NUMBER = { tcp: 6, udp: 17, sctp: 132, icmp: 1 } as const;

/** Leaves in `$said` what came of an attempt. */
const attempt = (protocol: Protocol, address: string, port = 0): string => {
  if (protocol === 'icmp')
    return `busybox ping -c 1 -W 1 ${address} >/dev/null 2>&1 && said=OK || said=TIMEOUT`;
  if (protocol === 'sctp') return `said=$(${sctpProbe(address, port)} 2>&1)`;
  return `said=$(agnhost connect --timeout=1s --protocol=${protocol} ${address}:${port} 2>&1) && said=OK`;
};

/** Prints `INDEX passed`, `INDEX lost` or what else was said, for each probe; all at the same time. */
const script = (probes: readonly Probe[], address: (party: Party) => string): string =>
  [
    ...probes.map(([, protocol, port, to], index) => {
      return `(${attempt(protocol, address(to), port)}; echo "${index} $said") &`;
    }),
    'wait',
  ].join('\n');

/** What was heard of a probe. A refusal by the host at the other end got there, so it passed. */
const heard = (output: string, index: number): 'passed' | 'lost' => {
  const said = output.split('\n').find((line) => line.startsWith(`${index} `));
  const [, word = ''] = (said ?? output).split(/[ :]+/);
  if (['OK', 'REFUSED'].includes(word)) return 'passed';
  if (word === 'TIMEOUT') return 'lost';
  throw new Error(`a probe ended in neither way: ${said ?? output}`);
};

const MACHINES: readonly MachineParty[] = ['a', 'b', 'c'];

/** The suite. @param place called once everything is made */
export const connectivity = (place: () => Place, limitMs: number): void => {
  const address = (party: Party): string => place().address(party);

  /** The connection as the filter of one of its ends notes it when it is refused. */
  const noted = ([from, protocol, port, to]: Probe): string => {
    const source = from === 'c' ? '169.254.100.1' : address(from);
    return `${source} ${address(to)} ${protocol} ${protocol === 'icmp' ? 0 : port}`;
  };

  const notes = async (): Promise<ReadonlyMap<string, number>> => {
    const all = await Promise.all(MACHINES.map((machine) => refusedAt(place().outside(machine))));
    const sum = new Map<string, number>();
    for (const [key, packets] of all.flatMap((one) => [...one])) {
      sum.set(key, (sum.get(key) ?? 0) + packets);
    }
    return sum;
  };

  /** The node of `c` is translated on its way, so another machine sees the address of `c`. */
  const names = (probe: Probe): readonly string[] =>
    probe[0] === 'c' ? [noted(probe), noted(probe).replace('169.254.100.1', address('c'))] : [noted(probe)];

  /** Whether each probe got through, or was noted as refused: silence alone proves nothing. */
  const tried = async (probes: readonly Probe[]): Promise<readonly boolean[]> => {
    const results = new Map<Probe, boolean>();
    await until(
      async () => {
        const open = probes.filter((probe) => !results.has(probe));
        const before = await notes();
        const sources = [...new Set(open.map(([from]) => from))];
        await Promise.all(
          sources.map(async (from) => {
            const own = open.filter((probe) => probe[0] === from);
            const output = await place().run(from, script(own, address));
            for (const [index, probe] of own.entries()) {
              if (heard(output, index) === 'passed') results.set(probe, true);
            }
          }),
        );
        const after = await notes();
        for (const probe of open.filter((one) => !results.has(one))) {
          if (names(probe).some((key) => (after.get(key) ?? 0) > (before.get(key) ?? 0)))
            results.set(probe, false);
        }
        return results.size === probes.length;
      },
      { limitMs, what: 'every probe to pass or to be noted as refused' },
    );
    return probes.map((probe) => results.get(probe) as boolean);
  };

  /** What the firewalls at both ends say; traffic that no machine takes part in is not filtered. */
  const judged = ([from, protocol, port, to]: Probe): boolean => {
    const flow = { protocol: NUMBER[protocol], ...(port === undefined ? {} : { port }) };
    const peerOf = (party: Party): number => parseAddress(address(party)) as number;
    const out =
      !isMachine(from) ||
      judge(place().firewall(from), {
        ...flow,
        direction: 'egress',
        from: from === 'c' ? 'node' : 'pod',
        peer: peerOf(to),
      }).allowed;
    const into =
      !isMachine(to) ||
      judge(place().firewall(to), { ...flow, direction: 'ingress', peer: peerOf(from) }).allowed;
    return out && into;
  };

  // Names and probes are the same wherever the machines are; rules hold addresses, which are known later.
  const outline = scenarios(() => '0.0.0.0').map(({ name, probes }, index) => ({ name, probes, index }));
  describe.each(outline)('$name', ({ probes, index: number }) => {
    let results: readonly boolean[] = [];
    beforeAll(async () => {
      const { groups = OPEN, lists = [], policies = [] } = scenarios(address)[number] as Scenario;
      await place().apply({ groups, lists, policies });
      results = await tried(probes);
    }, limitMs + 60_000);
    it.each(probes.map((probe, index) => ({ title: title(probe), probe, index })))(
      '$title',
      ({ probe, index }) => {
        expect(results[index]).toBe(probe[4]);
        expect(judged(probe), 'the judgement of the same firewall').toBe(probe[4]);
      },
    );
  });

  describe('a connection under way', () => {
    const rules = (...ingress: readonly GroupRule[]) => ({
      groups: [group(FRONT, []), group(BACK, ingress, [])],
      lists: [],
      policies: [] as readonly NetworkPolicy[],
    });
    const under = (spec: Partial<NetworkPolicySpec>) => ({
      ...rules(tcp(HTTP, anywhere)),
      policies: [policy('under-way', { ...spec, podSelector: { matchLabels: { app: 'b' } } })],
    });
    /** Asks over one connection again and again; gives how many answers came so far. */
    const stream = '/tmp/connectivity-stream';
    const start = () =>
      place().run(
        'a',
        `rm -f ${stream}; (while sleep 0.2; do printf 'GET /hostname HTTP/1.1\\r\\nHost: b\\r\\n\\r\\n'; done | busybox nc ${address('b')} ${HTTP} >${stream} 2>/dev/null) >/dev/null 2>&1 </dev/null &
         echo started`,
      );
    const answers = async (): Promise<number> =>
      Number(await place().run('a', `grep -c 'HTTP/1.1 200' ${stream} || true`));
    const goesOn = async (what: string): Promise<void> => {
      const before = await answers();
      await until(async () => (await answers()) > before, { limitMs, what, everyMs: 200 });
    };
    const refusedNow = (by: 'group' | 'policy' = 'group'): Promise<number> =>
      counterAt(place().outside('b'), `${by}-ingress`);
    /** Puts rules in place, and sees them refuse the connection: no further answer comes. */
    const stopsUnder = async (state: State, by: 'group' | 'policy'): Promise<void> => {
      const before = await refusedNow(by);
      await place().apply(state);
      await until(async () => (await refusedNow(by)) > before, {
        limitMs,
        what: `the connection to be refused by a ${by}`,
      });
      const stopped = async (): Promise<void> => {
        expect(await tried([no('a', 'tcp', HTTP, 'b')])).toEqual([false]);
      };
      await stopped(); // and what had arrived before is written by now
      const last = await answers();
      await stopped();
      expect(await answers()).toBe(last);
    };

    it(
      'goes on under rules that still allow it, and stops under others',
      async () => {
        await place().apply(rules(tcp(HTTP, anywhere)));
        await start();
        await goesOn('the first answers');
        await place().apply(rules({ protocol: '-1', peers: [{ group: FRONT }] }));
        await goesOn('answers under changed rules');
        await stopsUnder(rules(tcp(CLOSED_TCP, anywhere)), 'group');
        await place().apply(rules(tcp(HTTP, anywhere)));
        await goesOn('answers of the same connection, allowed again');
        await stopsUnder(under({}), 'policy');
        await place().apply(under({ ingress: [{ ports: [{ port: 'web' }] }] }));
        await goesOn('answers of the same connection, allowed by a policy');
      },
      limitMs * 6,
    );

    it(
      'keeps its counters and translations over changes of the rules',
      async () => {
        const before = await refusedNow();
        await place().apply(rules(all));
        expect(await refusedNow()).toBeGreaterThanOrEqual(before);
        expect(before).toBeGreaterThan(0);
        expect(await tried([yes('control', 'tcp', KUBELET, 'b')])).toEqual([true]);
      },
      limitMs * 2,
    );
  });

  describe('an ICMP error', () => {
    const [PASSING, REFUSED, UNKNOWN] = [0xc301, 0xc302, 0xc303];
    const [BEGUN, NEVER_BEGUN] = [40_003, 40_004];
    /** A host outside says that a port is unreachable: the one that `a` sent to from `port`. */
    const complain = (id: number, port: number): Promise<string> => {
      const [a, far] = [address('a'), address('far')];
      const about = ipv4({ from: a, to: far, protocol: NUMBER.udp, id: 1 }, udp('hello', port, UDP));
      const error = ipv4({ from: far, to: a, protocol: NUMBER.icmp, id }, unreachable(about));
      const link = { from: '00:00:5e:00:53:02', to: ROUTER_MAC, type: ETHERTYPE.ipv4 };
      return place().run('far', sendFrames([frame(link, error)]));
    };
    const counted = (counter: string): Promise<number> => counterAt(place().outside('a'), counter);
    let inside: Witness | undefined;
    afterAll(() => inside?.end());

    it(
      'goes the way of its connection, and one of no connection goes nowhere',
      async () => {
        inside = await witness(place().outside('a'), 'tap0', {
          passing: `ip id ${PASSING}`,
          refused: `ip id ${REFUSED}`,
          unknown: `ip id ${UNKNOWN}`,
        });
        const { seen } = inside;
        await place().apply({ groups: OPEN, lists: [], policies: [] });
        await place().run('a', sendUdp(BEGUN, address('far'), UDP));
        await complain(PASSING, BEGUN);
        await until(async () => ((await seen())['passing'] ?? 0) > 0, {
          limitMs,
          what: 'the ICMP error to reach the pod',
        });
        const before = { related: await counted('related'), invalid: await counted('invalid') };
        await place().apply({ groups: [group(FRONT, [], []), group(BACK, [])], lists: [], policies: [] });
        await complain(REFUSED, BEGUN);
        await complain(UNKNOWN, NEVER_BEGUN);
        await until(
          async () =>
            (await counted('related')) > before.related && (await counted('invalid')) > before.invalid,
          { limitMs, what: 'both ICMP errors to be counted' },
        );
        expect(await seen()).toEqual({ passing: 1, refused: 0, unknown: 0 });
      },
      limitMs * 3,
    );
  });

  describe('a pod with raw sockets', () => {
    const [HONEST, POSING] = [0xc311, 0xc312];
    let wire: Witness | undefined;
    afterAll(() => wire?.end());

    it(
      'cannot pass for its node',
      async () => {
        wire = await witness(place().outside('a'), 'eth0', {
          honest: `ip id ${HONEST}`,
          posing: `ip id ${POSING}`,
        });
        const { seen } = wire;
        await place().apply({ groups: OPEN, lists: [], policies: [] });
        const to = address('control');
        const send = (id: number, from: string): Promise<string> =>
          place().run(
            'a',
            sendPacket(to, ipv4({ from, to, protocol: NUMBER.udp, id }, udp('hello', PORT, DNS))),
          );
        await send(POSING, NODE_ADDRESS);
        await send(HONEST, address('a'));
        await until(async () => ((await seen())['honest'] ?? 0) > 0, {
          limitMs,
          what: 'the honest packet to reach the wire',
        });
        expect(await seen()).toEqual({ honest: 1, posing: 0 });
      },
      limitMs * 2,
    );
  });

  describe('root beside the pod', () => {
    it(
      'cannot speak from an address that is not its own',
      async () => {
        const other = address('b');
        const before = await counterAt(place().outside('c'), 'spoofed');
        await place().run(
          'c',
          `ip addr add ${other}/32 dev lo; busybox ping -c 1 -W 1 -I ${other} ${address('control')} >/dev/null 2>&1 && echo answered; ip addr del ${other}/32 dev lo`,
        );
        expect(await counterAt(place().outside('c'), 'spoofed')).toBeGreaterThan(before);
      },
      limitMs,
    );

    it(
      'reaches neither instance metadata nor other link-local addresses',
      async () => {
        for (const [counter, to] of [
          ['metadata', '169.254.169.254'],
          ['link-local', '169.254.7.7'],
        ] as const) {
          const before = await counterAt(place().outside('c'), counter);
          await place().run(
            'c',
            `agnhost connect --timeout=1s ${to}:80 >/dev/null 2>&1 && echo open || echo shut`,
          );
          expect(await counterAt(place().outside('c'), counter), counter).toBeGreaterThan(before);
        }
      },
      limitMs,
    );
  });
};
