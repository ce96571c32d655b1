/**
 * What may pass one machine, with everything resolved to addresses: security groups, NetworkPolicies, and what
 * the node's own processes may do. `compile.ts` makes it, `judge.ts` decides by it, and
 * `compute/render/ruleset.ts` turns it into the kernel's words; all three read it in the same way.
 */
import type { Ranges } from '../net/ranges.ts';
import type { Ports } from './protocol.ts';

/** Traffic that is allowed; a layer is a list of these, and what none of them allows is refused. */
export interface Allow {
  /** IP protocol number (IANA "Assigned Internet Protocol Numbers"); left out: all of them. */
  readonly protocol?: number;
  /** Destination ports of a protocol that has them; left out: all of them. */
  readonly ports?: Ports;
  /** Sources of ingress, destinations of egress. */
  readonly peers: Ranges;
  /** The group or policy (`namespace/name`) that says so. */
  readonly origin: string;
}

/** One filter among several that all must allow. */
export interface Layer {
  /** Names of the groups or policies that take part, also of those that allow nothing. */
  readonly origins: readonly string[];
  readonly allows: readonly Allow[];
}

/** Seen from the machine: what comes to it, what it begins. */
export type Direction = 'ingress' | 'egress';

/** The filter of one machine. */
export interface Firewall {
  /** IPv4 address of pod and node alike. */
  readonly address: string;
  /** Security groups: for pod and node alike (spec/fargate.md §6). */
  readonly groups: Readonly<Record<Direction, Layer>>;
  /** NetworkPolicies: for the pod alone. A direction that no policy isolates has none. */
  readonly policies: Readonly<Partial<Record<Direction, Layer>>>;
  /** The node's own processes, besides the groups. */
  readonly node: {
    /** API server, DNS, registries, log sinks. */
    readonly egress: readonly Allow[];
    /** Who may reach the kubelet: the API server and metrics collectors. */
    readonly kubeletClients: Ranges;
  };
}
