/** Why each profile matches a pod or does not, in words, for `plan` and `why`. */
import { DEFAULT_SCHEDULER, PROFILE_LABEL, SYSTEM_NAMESPACE } from '../names.ts';
import type { Pod } from '../pod.ts';
import { type LeftAlone, type Match, Matcher, matchPod, type Profile, profileMatches } from './match.ts';
import { compile } from './wildcard.ts';

/** What one profile says to a pod. `reasons` has one sentence per selector; for a match, why it is not chosen. */
export interface Explanation {
  readonly profile: string;
  readonly matches: boolean;
  readonly chosen: boolean;
  readonly reasons: readonly string[];
}

const WHY_LEFT_ALONE: Record<LeftAlone, (pod: Pod) => string> = {
  'system-namespace': () => `pods of namespace ${SYSTEM_NAMESPACE} never run on Fargate`,
  'opted-out': () => 'annotation eks.amazonaws.com/compute-type: ec2 keeps the pod off Fargate',
  'daemon-set': () => 'DaemonSet pods are not placed on Fargate',
  'foreign-scheduler': (pod) => `schedulerName ${pod.spec.schedulerName} is not ${DEFAULT_SCHEDULER}`,
  'node-named': (pod) => `nodeName ${pod.spec.nodeName} is set already`,
};

/** One sentence on the outcome of matching. */
export const describeMatch = (match: Match, pod: Pod): string => {
  switch (match.kind) {
    case 'matched':
      return `Fargate profile ${match.profile.metadata.name} matches`;
    case 'left-alone':
      return WHY_LEFT_ALONE[match.because](pod);
    case 'label-mismatch':
      return match.exists
        ? `label ${PROFILE_LABEL} names profile ${match.named}, none of whose selectors matches the pod`
        : `label ${PROFILE_LABEL} names profile ${match.named}, which does not exist`;
    case 'no-profile':
      return 'no Fargate profile matches the pod';
  }
};

/** What a selector misses, or undefined when it matches. */
const missing = (
  selector: Profile['spec']['selectors'][number],
  labels: Readonly<Record<string, string>>,
  namespace: string,
): string | undefined => {
  if (!compile(selector.namespace)(namespace))
    return `namespace ${namespace} does not match ${selector.namespace}`;
  const absent = Object.entries(selector.labels ?? {}).filter(
    ([key, value]) => !Object.entries(labels).some(([k, v]) => compile(key)(k) && compile(value)(v)),
  );
  return absent.length === 0
    ? undefined
    : `the pod has no label ${absent.map(([key, value]) => `${key}=${value}`).join(', ')}`;
};

/**
 * Explains every profile in order of precedence.
 * @param namespace the pod's namespace, where the object does not carry it
 */
export const explain = (
  profiles: readonly Profile[],
  pod: Pod,
  namespace: string = pod.metadata.namespace ?? 'default',
): readonly Explanation[] => {
  const matcher = new Matcher(profiles);
  const match = matchPod(matcher, pod, namespace);
  const labels = pod.metadata.labels ?? {};
  return matcher.profiles.map((profile) => {
    const name = profile.metadata.name;
    const chosen = match.kind === 'matched' && match.profile === profile;
    if (profileMatches(profile, labels, namespace))
      return { profile: name, matches: true, chosen, reasons: chosen ? [] : [whyNot(match, pod)] };
    const reasons = profile.spec.selectors.map(
      (selector) => missing(selector, labels, namespace) ?? WHY_LEFT_ALONE['system-namespace'](pod),
    );
    return { profile: name, matches: false, chosen, reasons };
  });
};

const whyNot = (match: Match, pod: Pod): string => {
  if (match.kind !== 'matched') return describeMatch(match, pod);
  const other = match.profile.metadata.name;
  return pod.metadata.labels?.[PROFILE_LABEL] === other
    ? `the pod's label picks profile ${other}`
    : `profile ${other} comes first`;
};
