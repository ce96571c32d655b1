/** Scheduling gates (Kubernetes documentation, "Pod Scheduling Readiness"). */
import type { Pod } from '../pod.ts';

/** One sentence on the gates that hold a pod back, if any do. */
export const heldBack = ({ spec }: Pod): string | undefined => {
  const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
  return gates.length > 0 ? `it waits for its scheduling gates: ${gates.join(', ')}` : undefined;
};
