/** Whose an address is. */
import type { Machine } from '../machine/machine.ts';
import { parseAddress } from '../net/ipv4.ts';
import type { Pod } from '../pod.ts';

/** The pod that has an address (a number), as `namespace/name`. */
export type PodAt = (address: number) => string | undefined;

/** Pods by their own addresses: not those that use their node's, and not those that have ended. */
export const podsByAddress = (machines: readonly Machine[], pods: readonly Pod[]): PodAt => {
  const byAddress = new Map<number | undefined, string>();
  for (const { metadata, spec, status } of pods) {
    const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    if (spec.hostNetwork !== true && !ended && status?.podIP !== undefined)
      byAddress.set(parseAddress(status.podIP), `${metadata.namespace}/${metadata.name}`);
  }
  // A machine has its pod's address before the pod's status says so, and gives it to nobody else while it is there.
  for (const { pod, placement } of machines)
    byAddress.set(parseAddress(placement.address), `${pod.namespace}/${pod.name}`);
  return (address) => byAddress.get(address);
};
