/** The stage of admission: a pod is created, a profile matches, the pod becomes ours (spec/fargate.md §2.2). */
import type { Logger } from 'pino';
import type { FargateProfile } from '../api/fargate-profile.ts';
import { type Admission, admit } from '../core/admission/mutate.ts';
import type { Pod } from '../core/pod.ts';
import { latestMatcher } from '../core/profile/latest.ts';
import type { Gates } from './gates.ts';
import type { Identities } from './identities.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** The profiles as they are now. */
export type Profiles = () => readonly FargateProfile[];

/** What pods get besides what makes them ours. Gates are for all pods: a balancer sends connections to any. */
export interface Additions {
  readonly identities?: Identities | undefined;
  readonly gates?: Gates | undefined;
}

const answer = (admission: Admission): Answer => {
  switch (admission.kind) {
    case 'untouched':
      return { allowed: true, warnings: admission.warnings };
    case 'mutated':
      return { allowed: true, patch: admission.patch, warnings: admission.warnings };
    case 'refused':
      return refuse(admission.message);
  }
};

const FAIL_OPEN = 'Cloister could not look at this pod and has left it to its scheduler:';

/**
 * Answers reviews of pods. Fail-open: whatever goes wrong inside, the pod is stored, with a warning.
 * Every outcome is logged once, with its duration in milliseconds.
 */
export const podReviewer = (
  profiles: Profiles,
  log: Logger,
  { identities, gates }: Additions = {},
): ((request: AdmissionRequest) => Promise<Answer>) => {
  const matcher = latestMatcher(profiles);
  return async (request) => {
    const start = performance.now();
    // The schema has seen metadata and spec; the API server has validated the rest.
    const pod = request.object as unknown as Pod;
    const namespace = request.namespace ?? pod.metadata.namespace ?? 'default';
    const name = pod.metadata.name ?? pod.metadata.generateName;
    try {
      if (request.operation !== 'CREATE') return { allowed: true };
      const admission = admit(matcher(), pod, namespace);
      const roles = admission.kind === 'mutated' ? await identities?.patch(pod, namespace) : undefined;
      const waits = admission.kind === 'refused' ? undefined : gates?.patch(pod, namespace);
      const ms = Math.round((performance.now() - start) * 1000) / 1000;
      const level = admission.kind === 'untouched' ? 'debug' : 'info';
      const profile = 'profile' in admission ? admission.profile : undefined;
      log[level]({ namespace, pod: name, profile, outcome: admission.kind, ms }, 'pod reviewed');
      const { allowed, patch = [], ...rest } = answer(admission);
      return { allowed, patch: [...patch, ...(roles ?? []), ...(waits ?? [])], ...rest };
    } catch (error) {
      log.error({ namespace, pod: name, err: error }, 'pod could not be reviewed');
      return { allowed: true, warnings: [`${FAIL_OPEN} ${error instanceof Error ? error.message : error}`] };
    }
  };
};
