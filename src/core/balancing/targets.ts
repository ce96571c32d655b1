/** Targets from EndpointSlices: the addresses of pods that may get connections. */
import type { Endpoint, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { parseAddress } from '../net/ipv4.ts';
import { type Target, targetName } from './model.ts';

/** What targets depend on besides slices: pods by `namespace/name`. */
export interface PodStates {
  /** Ready but for readiness gates of balancers: these gates. */
  readonly waiting: ReadonlyMap<string, readonly string[]>;
  /** Being deleted. Their slices say so a moment later, and by then their containers have been told to end. */
  readonly ending: ReadonlySet<string>;
}

const podOf = ({ targetRef }: Endpoint): string | undefined =>
  targetRef?.kind === 'Pod' ? `${targetRef.namespace}/${targetRef.name}` : undefined;

/**
 * Whether an endpoint gets new connections: while it is ready and does not end. A pod that waits for its
 * target in this pool to be healthy becomes one before it is ready, or it would wait for ever. Conditions that are
 * not set count as the API says: ready, and not terminating.
 */
const takesConnections = (endpoint: Endpoint, gate: string, { waiting, ending }: PodStates): boolean => {
  const { ready = true, terminating = false } = endpoint.conditions ?? {};
  const pod = podOf(endpoint) ?? '';
  return !terminating && !ending.has(pod) && (ready || waiting.get(pod)?.includes(gate) === true);
};

/**
 * The targets of one port of a Service, each once, in the order of their names.
 * @param port name of the Service's port; empty for one without a name
 * @param gate that pods may have for this pool
 */
export const targetsOf = (
  slices: readonly EndpointSlice[],
  port: string,
  gate: string,
  pods: PodStates,
): readonly Target[] => {
  const found = new Map<string, Target>();
  for (const slice of slices) {
    const number = slice.ports?.find(({ name = '' }) => name === port)?.port;
    if (slice.addressType !== 'IPv4' || number === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      // All addresses of an endpoint are the same pod: the first stands for it (discovery/v1).
      const address = endpoint.addresses[0];
      if (parseAddress(address ?? '') === undefined || !takesConnections(endpoint, gate, pods)) continue;
      const target = { address: address as string, port: number };
      found.set(targetName(target), target);
    }
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
};
