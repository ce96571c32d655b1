/** IP protocols by number and name, and ports of those that have them. */

const ICMP = 1;
export const TCP = 6;
const UDP = 17;
const SCTP = 132;

/** Ports from `from` to `to`, both included. */
export interface Ports {
  readonly from: number;
  readonly to: number;
}

const NAMES: Readonly<Record<string, number>> = { icmp: ICMP, tcp: TCP, udp: UDP, sctp: SCTP };

/**
 * The number of a protocol written as in rules of groups and policies.
 * @param text a name in any case, a number, or `-1` for all
 * @returns undefined for all
 */
export const protocolNumber = (text: string): number | undefined =>
  text === '-1' ? undefined : (NAMES[text.toLowerCase()] ?? Number(text));

const TRANSPORTS: Readonly<Record<string, number>> = { TCP, UDP, SCTP };

/** The number of a protocol as pods and policies name it; undefined for one that later API servers may have. */
export const transportNumber = (name = 'TCP'): number | undefined => TRANSPORTS[name];

/** A protocol in words: `TCP`, or `protocol 47`. */
export const protocolName = (protocol: number): string =>
  Object.keys(NAMES)
    .find((name) => NAMES[name] === protocol)
    ?.toUpperCase() ?? `protocol ${protocol}`;
