/** The packet filter around one machine, as nftables scripts. Pure. */
import { createHash } from 'node:crypto';
import type { Allow, Direction, Firewall } from '../../core/firewall/firewall.ts';
import type { Refusal } from '../../core/firewall/judge.ts';
import { KUBELET_PORT } from '../../core/machine/node.ts';
import { formatAddress } from '../../core/net/ipv4.ts';
import { isEverywhere, type Ranges } from '../../core/net/ranges.ts';
import { NODE_ADDRESS } from './link.ts';

/** What a machine's filter can drop for, besides what `judge` decides: what no connection of anybody is. */
type Stray = 'ipv6' | 'elsewhere' | 'spoofed' | 'stray' | 'invalid' | 'related';

/** The drops that have a counter, each in words. */
const COUNTERS: Readonly<Record<Refusal | Stray, string>> = {
  ipv6: 'IPv6 is not routed',
  elsewhere: 'neither from nor to the guest',
  spoofed: "source address is not the sender's",
  stray: 'destination is not the machine',
  metadata: 'instance metadata is not available',
  'link-local': 'link-local addresses are not routed',
  invalid: 'belongs to no connection',
  related: 'ICMP error of a connection that is not allowed',
  'policy-ingress': 'no network policy allows it in',
  'policy-egress': 'no network policy allows it out',
  'group-ingress': 'no security group allows it in',
  'group-egress': 'no security group allows it out',
  'node-egress': 'the node has no business there',
  'kubelet-ingress': 'not a client of the kubelet',
};

/**
 * Sets of connections: (source, destination, protocol, destination port or 0) of the first packet. The kernel
 * keeps them for those who ask, so that nothing has to listen. One that is full takes no more and changes nothing
 * else: no guest can make it grow.
 */
export const NOTED = {
  refused: { most: 1024, seconds: 600 },
  accepted: { most: 4096, seconds: 60 },
} as const;

/** A set that keeps what became of connections. */
export type NotedSet = keyof typeof NOTED;

const noted = (name: NotedSet): string => `  set ${name} {
    type ipv4_addr . ipv4_addr . inet_proto . inet_service
    size ${NOTED[name].most}
    flags dynamic,timeout
    timeout ${NOTED[name].seconds}s
    counter
  }
`;

/** Rules that note a connection by its first packet, or, when it is judged again, by one in the same direction. */
const note = (name: NotedSet): readonly string[] => {
  const [ends, ported] = ['ct original ip saddr . ct original ip daddr . meta l4proto', '{ tcp, udp, sctp }'];
  return [
    `ct direction original meta l4proto ${ported} update @${name} { ${ends} . th dport }`,
    `ct direction original meta l4proto != ${ported} update @${name} { ${ends} . 0 }`,
  ];
};

const drop = (counter: Refusal | Stray): string => `counter name ${counter} drop`;

const counters = (): string =>
  Object.entries(COUNTERS)
    .map(([name, words]) => `  counter ${name} { comment "${words}" }\n`)
    .join('');

/** The chains whose rules change; what returns from a chain of rules is allowed by its layer. */
const CHAINS = [
  'known',
  'allowed',
  'policy_ingress_rules',
  'policy_egress_rules',
  'group_ingress_rules',
  'group_egress_rules',
  'node_egress_rules',
  'kubelet_ingress_rules',
] as const;

/** Rules of each of them. */
type Chains = Readonly<Record<(typeof CHAINS)[number], readonly string[]>>;

/**
 * The part that never changes while the machine lives. Everything that passes between `eth0` and `tap0` is
 * filtered here, out of reach of root inside the guest: only the machine's own addresses leave the tap, which is
 * seen to before anything is tracked; link-local destinations (the instance metadata address among them) and IPv6
 * are dropped, and each packet is judged by the first packet of its connection, whose ends `ct original` tells for
 * both directions and for ICMP errors alike. The node's own traffic is translated here too, so that the filter can
 * tell it from the pod's.
 */
const frame = (address: string): string => `table inet machine
delete table inet machine
table inet machine {
${counters()}
${noted('refused')}
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
  }

  chain entry {
    type filter hook prerouting priority raw; policy accept;
    meta nfproto ipv6 ${drop('ipv6')}
    iifname "tap0" ip saddr != { ${address}, ${NODE_ADDRESS} } ${drop('spoofed')}
    iifname "eth0" ip saddr { ${address}, ${NODE_ADDRESS} } ${drop('spoofed')}
    iifname "eth0" ip daddr != ${address} ${drop('stray')}
  }

  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "tap0" oifname "eth0" goto from_guest
    iifname "eth0" oifname "tap0" goto to_guest
    ${drop('elsewhere')}
  }

  chain from_guest {
    ct state invalid ${drop('invalid')}
    ip daddr 169.254.169.254 jump record
    ip daddr 169.254.169.254 ${drop('metadata')}
    ip daddr 169.254.0.0/16 ${drop('link-local')}
    goto connection
  }

  chain to_guest {
    ct state invalid ${drop('invalid')}
    goto connection
  }

  chain connection {
    jump known
    meta l4proto icmp ct state related ${drop('related')}
    ct original ip saddr ${address} goto pod_egress
    ct original ip saddr ${NODE_ADDRESS} goto node_egress
    meta l4proto tcp ct original proto-dst ${KUBELET_PORT} goto kubelet_ingress
    goto pod_ingress
  }

${CHAINS.map((name) => `  chain ${name} {}\n`).join('')}
  chain pod_egress {
    jump policy_egress_rules
    jump group_egress_rules
    goto allowed
  }

  chain pod_ingress {
    jump policy_ingress_rules
    jump group_ingress_rules
    goto allowed
  }

  chain node_egress {
    jump node_egress_rules
    jump group_egress_rules
    goto allowed
  }

  chain kubelet_ingress {
    jump kubelet_ingress_rules
    jump group_ingress_rules
    goto allowed
  }

  chain record {
${note('refused')
  .map((line) => `    ${line}\n`)
  .join('')}  }

  chain to_kubelet {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "eth0" ip daddr ${address} tcp dport ${KUBELET_PORT} dnat ip to ${NODE_ADDRESS}
  }

  chain from_node {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" ip saddr ${NODE_ADDRESS} snat ip to ${address}
  }
}
`;

const elements = (ranges: Ranges): string =>
  ranges
    .map(({ first, last }) =>
      first === last ? formatAddress(first) : `${formatAddress(first)}-${formatAddress(last)}`,
    )
    .join(', ');

/** The other end of a connection, for packets in both directions. */
const PEER: Readonly<Record<Direction, string>> = {
  ingress: 'ct original ip saddr',
  egress: 'ct original ip daddr',
};

/** Longest comment of a rule (NFTNL_UDATA_COMMENT_MAXLEN, less its final zero). */
const COMMENT_MOST = 127;

/** One rule, or none where nobody is meant. */
const ruleOf = ({ protocol, ports, peers, origin }: Allow, direction: Direction): readonly string[] => {
  if (peers.length === 0) return [];
  const every = ports === undefined || (ports.from === 0 && ports.to === 65_535);
  return [
    [
      ...(isEverywhere(peers) ? [] : [`${PEER[direction]} { ${elements(peers)} }`]),
      ...(protocol === undefined ? [] : [`meta l4proto ${protocol}`]),
      ...(every
        ? []
        : [`ct original proto-dst ${ports.from === ports.to ? ports.from : `${ports.from}-${ports.to}`}`]),
      `return comment "${origin.slice(0, COMMENT_MOST)}"`,
    ].join(' '),
  ];
};

const refuse = (by: Refusal): readonly string[] => ['jump record', drop(by)];

const layersOf = ({ groups, policies, node }: Firewall): Omit<Chains, 'known' | 'allowed'> => {
  const layer = (direction: Direction, allows: readonly Allow[], by: Refusal): readonly string[] => [
    ...allows.flatMap((allow) => ruleOf(allow, direction)),
    ...refuse(by),
  ];
  const policy = (direction: Direction): readonly string[] => {
    const isolated = policies[direction];
    return isolated === undefined ? [] : layer(direction, isolated.allows, `policy-${direction}`);
  };
  const clients = [{ peers: node.kubeletClients, origin: 'clients of the kubelet' }];
  return {
    policy_ingress_rules: policy('ingress'),
    policy_egress_rules: policy('egress'),
    group_ingress_rules: layer('ingress', groups.ingress.allows, 'group-ingress'),
    group_egress_rules: layer('egress', groups.egress.allows, 'group-egress'),
    node_egress_rules: layer('egress', node.egress, 'node-egress'),
    kubelet_ingress_rules: layer('ingress', clients, 'kubelet-ingress'),
  };
};

/** A number from 1 to 2^32 - 1 that stands for a text. */
const markOf = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE() || 1;

/**
 * The part that changes, as one transaction for a namespace that has `ruleset`: it puts the rules in place of
 * those before, and leaves counters, noted connections, connection tracking and translations as they are.
 *
 * A connection that was allowed is marked with a number for exactly these rules. Its further packets pass by the
 * mark, and ICMP errors that concern it too. Under changed rules the mark is another one, so each connection
 * is judged again with its next packet, from whichever side that comes: what stays allowed goes on, what does
 * not stops.
 */
export const firewallRules = (firewall: Firewall): string => {
  const layers = layersOf(firewall);
  const mark = `0x${markOf(JSON.stringify(layers)).toString(16).padStart(8, '0')}`;
  const chains: Chains = {
    known: [`ct mark ${mark} accept`],
    allowed: [...note('accepted'), `ct mark set ${mark} accept`],
    ...layers,
  };
  const filled = CHAINS.map(
    (name) => `  chain ${name} {\n${chains[name].map((line) => `    ${line}\n`).join('')}  }\n`,
  );
  const flushes = CHAINS.map((name) => `flush chain inet machine ${name}\n`);
  // The set is here and not in the frame: it is added to machines that were started without it.
  return `${flushes.join('')}table inet machine {\n${noted('accepted')}${filled.join('')}}\n`;
};

/** A firewall that lets nothing pass: every machine's first one. */
const closed = (address: string): Firewall => {
  const nothing = { origins: [], allows: [] };
  return {
    address,
    groups: { ingress: nothing, egress: nothing },
    policies: {},
    node: { egress: [], kubeletClients: [] },
  };
};

/** The filter that a machine starts with. It is closed until its first firewall is put in place. */
export const ruleset = (address: string): string => frame(address) + firewallRules(closed(address));
