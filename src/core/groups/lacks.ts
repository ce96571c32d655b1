/**
 * What security groups lack for a node to join and to be looked after. The groups of a policy replace the cluster
 * security group: "include that group, or rules for API server, kubelet probes and TCP+UDP 53 to CoreDNS, else
 * the node never joins" (spec/fargate.md §6.1).
 */
import type { Allow, Firewall } from '../firewall/firewall.ts';
import { groupLayer } from '../firewall/groups.ts';
import { type Flow, judge } from '../firewall/judge.ts';
import { protocolNumber, TCP } from '../firewall/protocol.ts';
import type { World } from '../firewall/world.ts';
import { KUBELET_PORT } from '../machine/node.ts';
import { formatAddress, parseAddress, parseNetwork } from '../net/ipv4.ts';
import { EVERYWHERE } from '../net/ranges.ts';

/** What is read of a Network object. */
export interface NodeTraffic {
  readonly spec: {
    readonly node: {
      readonly egress: readonly {
        readonly cidr: string;
        readonly protocol: string;
        readonly ports?: { readonly from: number; readonly to: number };
        readonly description?: string;
      }[];
      readonly kubeletClients: readonly { readonly cidr?: string }[];
    };
  };
}

/** A connection without which a node is of no use. */
export interface Requirement {
  readonly what: string;
  readonly flow: Flow;
}

const DNS_PORT = 53;

/**
 * What every machine has to reach: the single hosts among what nodes may reach, which are API server, resolvers
 * and registry, and cluster DNS; and who has to reach its kubelet. Wider networks are permissions, no needs.
 * @param dns addresses of cluster DNS
 */
export const requirementsOf = (
  { spec }: NodeTraffic,
  dns: readonly string[] = [],
): readonly Requirement[] => [
  ...spec.node.egress.flatMap(({ cidr, protocol, ports, description }) => {
    const host = parseNetwork(cidr);
    const number = protocolNumber(protocol);
    if (host?.size !== 1 || number === undefined || ports === undefined) return [];
    const what = description ?? `traffic of the node to ${formatAddress(host.first)}`;
    return [
      { what, flow: { direction: 'egress', peer: host.first, protocol: number, port: ports.from } as const },
    ];
  }),
  ...dns.flatMap((text) => {
    const peer = parseAddress(text);
    if (peer === undefined) return [];
    return ['udp', 'tcp']
      .flatMap((name) => protocolNumber(name) ?? [])
      .map((protocol) => ({
        what: 'cluster DNS',
        flow: { direction: 'egress', peer, protocol, port: DNS_PORT } as const,
      }));
  }),
  ...spec.node.kubeletClients.flatMap(({ cidr }) => {
    const client = parseNetwork(cidr ?? '');
    if (client === undefined) return [];
    const flow = { direction: 'ingress', peer: client.first, protocol: TCP, port: KUBELET_PORT } as const;
    return [{ what: 'kubelet', flow }];
  }),
];

/** Only the groups are judged: everything else lets all through. */
const groupsAlone = (groups: readonly string[], world: World): Firewall => {
  const anything: Allow = { peers: EVERYWHERE, origin: 'any' };
  return {
    address: '0.0.0.0',
    groups: {
      ingress: groupLayer(groups, 'ingress', world),
      egress: groupLayer(groups, 'egress', world),
    },
    policies: {},
    node: { egress: [anything], kubeletClients: EVERYWHERE },
  };
};

/**
 * One sentence for each requirement that the groups do not allow, such as `API server: group web has no egress
 * rule for TCP 6443 to 10.42.0.2`.
 */
export const lacksOf = (
  groups: readonly string[],
  requirements: readonly Requirement[],
  world: World,
): readonly string[] => {
  const firewall = groupsAlone(groups, world);
  return requirements.flatMap(({ what, flow }) => {
    const judgement = judge(firewall, flow);
    return judgement.allowed ? [] : [`${what}: ${judgement.reason}`];
  });
};
