/** Whose turn it is when a room or an address is free. */
import type { Pod } from '../pod.ts';

const since = ({ metadata }: Pod): string => metadata.creationTimestamp ?? '';

/**
 * Pods in the order in which they came, to the second: those of one second stay as they are. Priorities have no say,
 * since all pods of the original have the same one (spec/fargate.md §2.2).
 */
export const oldestFirst = (pods: readonly Pod[]): readonly Pod[] =>
  pods.toSorted((one, other) => {
    const [first, second] = [since(one), since(other)];
    if (first === second) return 0;
    return first < second ? -1 : 1;
  });
