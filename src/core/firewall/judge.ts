/** Decides about one connection as the kernel does with the rules of the same `Firewall`, and says why. */
import { KUBELET_PORT } from '../machine/node.ts';
import { formatAddress, parseAddress } from '../net/ipv4.ts';
import { contains, type Ranges, rangesOf } from '../net/ranges.ts';
import type { Allow, Direction, Firewall, Layer } from './firewall.ts';
import { protocolName, TCP } from './protocol.ts';

/** The first packet of a connection. */
export interface Flow {
  readonly direction: Direction;
  /** Who begins an egress: the pod or the node's own processes. On ingress the port tells whom it is for. */
  readonly from?: 'pod' | 'node';
  /** The other side's IPv4 address as a number. */
  readonly peer: number;
  /** IP protocol number. */
  readonly protocol: number;
  /** Destination port, of protocols that have one. */
  readonly port?: number;
}

/** What refused a connection; also the name of the kernel's counter. */
export type Refusal =
  | 'metadata'
  | 'link-local'
  | `group-${Direction}`
  | `policy-${Direction}`
  | 'node-egress'
  | 'kubelet-ingress';

/** Allowed, or by what it was refused, with a sentence for people. */
export type Judgement =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly by: Refusal; readonly reason: string };

const METADATA = parseAddress('169.254.169.254');
const LINK_LOCAL = rangesOf(['169.254.0.0/16']);

const refused = (by: Refusal, reason: string): Judgement => ({ allowed: false, by, reason });

/** The connection in words: `TCP 5432 from 10.0.3.7`. */
const inWords = ({ direction, peer, protocol, port }: Flow): string =>
  [
    protocolName(protocol),
    ...(port === undefined ? [] : [port]),
    direction === 'ingress' ? 'from' : 'to',
    formatAddress(peer),
  ].join(' ');

const admits = ({ protocol, ports, peers }: Allow, flow: Flow): boolean =>
  (protocol === undefined || protocol === flow.protocol) &&
  (ports === undefined || (flow.port !== undefined && ports.from <= flow.port && flow.port <= ports.to)) &&
  contains(peers, flow.peer);

const byLayer = (what: 'group' | 'policy', { origins, allows }: Layer, flow: Flow): Judgement | undefined => {
  if (allows.some((allow) => admits(allow, flow))) return undefined;
  const many = what === 'group' ? 'groups' : 'policies';
  const who = origins.length === 1 ? `${what} ${origins[0]} has` : `${many} ${origins.join(', ')} have`;
  return refused(`${what}-${flow.direction}`, `${who} no ${flow.direction} rule for ${inWords(flow)}`);
};

const byClients = (clients: Ranges, { peer }: Flow): Judgement | undefined =>
  contains(clients, peer)
    ? undefined
    : refused(
        'kubelet-ingress',
        `port ${KUBELET_PORT} is the kubelet's, which answers the API server and metrics collectors only, not ${formatAddress(peer)}`,
      );

const byNode = (allows: readonly Allow[], flow: Flow): Judgement | undefined =>
  allows.some((allow) => admits(allow, flow))
    ? undefined
    : refused('node-egress', `the node's own processes have no rule for ${inWords(flow)}`);

const isForKubelet = ({ direction, protocol, port }: Flow): boolean =>
  direction === 'ingress' && protocol === TCP && port === KUBELET_PORT;

/** Judges a connection. The order is that of the rules in the kernel, so that reason and counter agree. */
export const judge = ({ groups, policies, node }: Firewall, flow: Flow): Judgement => {
  const { direction } = flow;
  if (direction === 'egress' && flow.peer === METADATA)
    return refused('metadata', 'instance metadata is not available');
  if (direction === 'egress' && contains(LINK_LOCAL, flow.peer))
    return refused('link-local', 'link-local addresses are not routed');
  const policy = policies[direction];
  const own = isForKubelet(flow)
    ? byClients(node.kubeletClients, flow)
    : flow.from === 'node'
      ? byNode(node.egress, flow)
      : policy && byLayer('policy', policy, flow);
  return own ?? byLayer('group', groups[direction], flow) ?? { allowed: true };
};
