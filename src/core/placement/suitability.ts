/** What a pod's own rules say about the subnets of its profile: node selectors first, then, where honoured, topology. */
import type { Pod } from '../pod.ts';
import type { Policy } from '../validation/policy.ts';
import type { Suitability } from './place.ts';
import { futureNode, zoneMismatch } from './selection.ts';
import type { UsableSubnet } from './subnets.ts';
import { type Neighbourhood, topologyRules } from './topology.ts';

/** What the rules are judged by, besides the pod. */
interface Judged {
  readonly policy: Policy;
  readonly region: string;
  readonly usable: readonly UsableSubnet[];
  /** Undefined when there are no other pods to look at. */
  readonly neighbourhood: Neighbourhood | undefined;
}

const NOBODY: Neighbourhood = { pods: [], namespaceLabels: () => ({}) };

/** @returns undefined when all subnets suit alike */
export const suitabilityOf = (
  pod: Pod,
  { policy, region, usable, neighbourhood = NOBODY }: Judged,
): Suitability | undefined => {
  const selection = zoneMismatch(pod, region, policy.nodeLabels);
  if (!policy.topology) return selection && { mismatch: selection, compare: () => 0 };
  const labels = (subnet: UsableSubnet) => futureNode(subnet, region, policy.nodeLabels).labels;
  const open = usable.filter((subnet) => selection?.(subnet) === undefined);
  const rules = topologyRules(pod, neighbourhood, open.map(labels));
  return {
    mismatch: (subnet) => {
      const selected = selection?.(subnet);
      if (selected !== undefined) return selected;
      const refused = rules.refuses(labels(subnet));
      return refused && `Zone ${subnet.zone} ${refused}`;
    },
    compare: (a, b) => rules.compare(labels(a), labels(b)),
  };
};
