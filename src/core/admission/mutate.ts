/** What admission changes in a pod that a profile matches, and what it says to the user (spec/fargate.md §2.2, §3). */
import { type PatchOperation, pointerSegment } from '../json-patch.ts';
import { PREEMPTION_POLICY, PRIORITY, PRIORITY_CLASS, PROFILE_LABEL, SCHEDULER } from '../names.ts';
import type { Pod } from '../pod.ts';
import { describeMatch } from '../profile/explain.ts';
import { type Matcher, matchPod, type Profile } from '../profile/match.ts';
import { requestsOf } from '../sizing/requests.ts';
import { sizeFor } from '../sizing/size.ts';
import { isOpen, type Policy } from '../validation/policy.ts';
import { refusal, violationsOf } from '../validation/validate.ts';

/** What admission answers. */
export type Admission =
  /** Not ours: the pod is stored as it is. */
  | { readonly kind: 'untouched'; readonly warnings: readonly string[] }
  | {
      readonly kind: 'mutated';
      readonly profile: string;
      readonly patch: readonly PatchOperation[];
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'refused'; readonly profile: string; readonly message: string };

/** What admission reads of a FargateProfile. */
export interface AdmissionProfile extends Profile {
  readonly spec: Profile['spec'] & { readonly policy?: Policy };
}

const set = (path: string, now: unknown, value: unknown): readonly PatchOperation[] =>
  now === value ? [] : [{ op: 'add', path, value }];

/** `add` replaces a member that exists, and works where the pod has no labels at all. */
const label = (pod: Pod, profile: string): readonly PatchOperation[] =>
  pod.metadata.labels
    ? set(`/metadata/labels/${pointerSegment(PROFILE_LABEL)}`, pod.metadata.labels[PROFILE_LABEL], profile)
    : [{ op: 'add', path: '/metadata/labels', value: { [PROFILE_LABEL]: profile } }];

/**
 * The class, its value and its preemption policy go together: the API server computes them again after
 * webhooks and refuses a pod whose three do not agree.
 */
const priority = (pod: Pod): readonly PatchOperation[] => [
  ...set('/spec/priorityClassName', pod.spec.priorityClassName, PRIORITY_CLASS),
  ...set('/spec/priority', pod.spec.priority, PRIORITY),
  ...set('/spec/preemptionPolicy', pod.spec.preemptionPolicy, PREEMPTION_POLICY),
];

/** Exactly the fields of §2.2. A profile that allows more than the original keeps the user's priority. */
const patchFor = (pod: Pod, profile: string, policy: Policy): readonly PatchOperation[] => [
  ...label(pod, profile),
  ...set('/spec/schedulerName', pod.spec.schedulerName, SCHEDULER),
  ...(isOpen(policy) ? [] : priority(pod)),
];

/** What the scheduler is going to say: refused fields without a look at claims, then the size. */
const objections = (pod: Pod, policy: Policy): readonly string[] => {
  const unsupported = refusal(pod, violationsOf(pod, policy));
  const sizing = sizeFor(requestsOf(pod));
  const tooLarge = 'tooLarge' in sizing ? sizing.tooLarge.message : undefined;
  return [unsupported, tooLarge].filter((text) => text !== undefined);
};

/**
 * Decides about a pod that is being created.
 * @param namespace the namespace of the request; the pod may not carry it yet
 * @throws QuantityError when a quantity is malformed, which the API server rules out
 */
export const admit = (matcher: Matcher<AdmissionProfile>, pod: Pod, namespace: string): Admission => {
  const match = matchPod(matcher, pod, namespace);
  if (match.kind === 'label-mismatch') return { kind: 'untouched', warnings: [describeMatch(match, pod)] };
  if (match.kind !== 'matched') return { kind: 'untouched', warnings: [] };
  const profile = match.profile.metadata.name;
  const policy = match.profile.spec.policy ?? {};
  const warnings = objections(pod, policy);
  if (policy.reject && warnings.length > 0) return { kind: 'refused', profile, message: warnings.join('; ') };
  return { kind: 'mutated', profile, patch: patchFor(pod, profile, policy), warnings };
};
