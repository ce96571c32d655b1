/** Which security groups a SecurityGroupPolicy gives to a pod that is being created (spec/fargate.md §6.1). */
import { type LabelSelector, type Labels, selects } from '../labels.ts';
import { PROFILE_LABEL } from '../names.ts';
import type { Pod } from '../pod.ts';

/** What is read of a SecurityGroupPolicy. A selector that is null is as good as one left out. */
export interface GroupPolicy {
  readonly metadata: { readonly name?: string };
  readonly spec?: {
    readonly podSelector?: LabelSelector | null;
    readonly serviceAccountSelector?: LabelSelector | null;
    readonly securityGroups?: { readonly groupIds?: readonly string[] };
  };
}

/** Most groups that a pod on Fargate can have. */
const MOST_GROUPS = 5;

/** "A pod with label eks.amazonaws.com/fargate-profile (any value, not hostNetwork) is a Fargate pod". */
export const isFargatePod = ({ metadata, spec }: Pod): boolean =>
  metadata.labels?.[PROFILE_LABEL] !== undefined && spec.hostNetwork !== true;

const groupsIn = ({ spec }: GroupPolicy): readonly string[] => spec?.securityGroups?.groupIds ?? [];

/** "A policy with neither selector or with no groups is ignored." */
export const counts = (policy: GroupPolicy): boolean =>
  (policy.spec?.podSelector != null || policy.spec?.serviceAccountSelector != null) &&
  groupsIn(policy).length > 0;

/** "Null selector = not considered; empty selector = everything in the namespace." */
const agrees = (selector: LabelSelector | null | undefined, labels: Labels): boolean =>
  selector == null || selects(selector, labels);

/**
 * The policies that give groups to a pod, in list order, which is that of their names. "With both selectors,
 * both must match (AND)."
 * @param account labels of the pod's service account
 * @param policies of the pod's namespace
 */
export const matchingPolicies = <P extends GroupPolicy>(
  pod: Pod,
  account: Labels,
  policies: readonly P[],
): readonly P[] => {
  const name = ({ metadata }: P): string => metadata.name ?? '';
  return policies
    .filter(
      (policy) =>
        counts(policy) &&
        agrees(policy.spec?.podSelector, pod.metadata.labels ?? {}) &&
        agrees(policy.spec?.serviceAccountSelector, account),
    )
    .toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
};

/** "Groups of all matching policies are concatenated in list order and de-duplicated." */
export const groupsFrom = (matching: readonly GroupPolicy[]): readonly string[] => [
  ...new Set(matching.flatMap(groupsIn)),
];

/** Why a pod cannot have that many groups; undefined when it can. */
export const tooManyGroups = (groups: readonly string[]): string | undefined =>
  groups.length <= MOST_GROUPS
    ? undefined
    : `A pod on Fargate can have at most ${MOST_GROUPS} security groups, and its SecurityGroupPolicies give it ${groups.length}: ${groups.join(', ')}`;
