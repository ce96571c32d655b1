/** Connections that a machine's filter refused, in words, and when they are worth telling. */
import type { Direction, Firewall } from '../firewall/firewall.ts';
import { type Flow, judge, type Refusal } from '../firewall/judge.ts';
import { protocolName } from '../firewall/protocol.ts';
import { formatAddress } from '../net/ipv4.ts';
import type { PodAt } from './peers.ts';

/** Connections that differ in nothing that rules look at, as the kernel noted them. */
export interface Noted {
  readonly flow: Flow;
  /** First packets: connections that were accepted, or tries to begin one that was refused. */
  readonly packets: number;
  /** When the last of them came, to the second. */
  readonly last: Date;
}

/** A connection for people and programs: what MicroVMs tell, and commands print. */
export interface FlowInWords {
  readonly direction: Direction;
  /** IPv4 address of the other side. */
  readonly peer: string;
  /** `namespace/name`, where it is a pod of the cluster. */
  readonly peerPod?: string;
  /** `TCP`, or `protocol 47`. */
  readonly protocol: string;
  /** Destination port, of protocols that have one. */
  readonly port?: number;
}

/** A refused one, with what refused it and why. */
export interface RefusedFlow extends FlowInWords {
  readonly by: Refusal;
  /** One sentence without a full stop. */
  readonly reason: string;
  readonly packets: number;
  /** When it was tried last: RFC 3339. */
  readonly last: string;
}

/** A connection in words. */
export const inWords = ({ direction, peer, protocol, port }: Flow, podAt: PodAt): FlowInWords => {
  const peerPod = podAt(peer);
  return {
    direction,
    peer: formatAddress(peer),
    ...(peerPod === undefined ? {} : { peerPod }),
    protocol: protocolName(protocol),
    ...(port === undefined ? {} : { port }),
  };
};

/**
 * Refused connections with their reasons, the latest first. One that the rules allow by now is left out: they
 * have changed since, and nobody has to do anything about it.
 */
export const explainRefused = (
  refused: readonly Noted[],
  firewall: Firewall,
  podAt: PodAt,
): readonly RefusedFlow[] =>
  refused
    .toSorted((one, other) => other.last.getTime() - one.last.getTime())
    .flatMap(({ flow, packets, last }) => {
      const verdict = judge(firewall, flow);
      if (verdict.allowed) return [];
      const { by, reason } = verdict;
      return [{ ...inWords(flow, podAt), by, reason, packets, last: last.toISOString() }];
    });

/** The reason with the name of the peer: what an event says of a refused connection. */
export const reasonInFull = ({ reason, peerPod }: RefusedFlow): string =>
  peerPod === undefined ? reason : `${reason} (pod ${peerPod})`;

/** How many of them a MicroVM tells. */
export const KEPT_MOST = 10;

/** How often the status of a machine is written for new counts alone, in milliseconds. */
const COUNTS_MS = 60_000;

/**
 * Whether what a MicroVM tells of refused connections is worth an API write: others than before are, at once,
 * and those of before with other counts once a minute.
 * @param sinceMs milliseconds since it was last written
 */
export const worthWriting = (
  before: readonly RefusedFlow[],
  after: readonly RefusedFlow[],
  sinceMs: number,
): boolean => {
  const which = (flows: readonly RefusedFlow[]): string => JSON.stringify(flows.map(reasonInFull).toSorted());
  if (which(before) !== which(after)) return true;
  // Not by their times, which are estimates and differ from look to look.
  const counts = (flows: readonly RefusedFlow[]): number =>
    flows.reduce((sum, { packets }) => sum + packets, 0);
  return sinceMs >= COUNTS_MS && counts(before) !== counts(after);
};

/** How many reasons events tell of one pod for as long as the kernel knows of them: a scan of ports tries many. */
const TOLD_MOST = 5;

/**
 * Which reasons an event should tell now. Each is told once for as long as connections are refused for it.
 * @param told reasons that were told before
 * @returns those to tell, and all that count as told from now on
 */
export const reasonsToTell = (
  told: readonly string[],
  flows: readonly RefusedFlow[],
): { readonly tell: readonly string[]; readonly told: readonly string[] } => {
  const now = [...new Set(flows.map(reasonInFull))];
  const still = told.filter((reason) => now.includes(reason));
  const tell = now.filter((reason) => !still.includes(reason)).slice(0, TOLD_MOST - still.length);
  return { tell, told: [...still, ...tell] };
};
