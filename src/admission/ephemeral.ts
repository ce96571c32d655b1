/** Containers that are added to pods on our nodes, as `kubectl debug` does (spec/fargate.md §3.2). */

import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import { PROFILE_LABEL } from '../api/names.ts';
import { machineName } from '../core/machine/microvm.ts';
import type { Pod } from '../core/pod.ts';
import { ephemeralRefusal } from '../core/validation/ephemeral.ts';
import type { Policy } from '../core/validation/policy.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** What the pods are judged by. */
export interface EphemeralContext {
  readonly profiles: () => readonly FargateProfile[];
  /** The machine of that name. Without it, the pod's label names its profile. */
  readonly microVM?: (name: string) => MicroVM | undefined;
}

/**
 * The policy that the pod runs under. The machine's word comes before the label's, which whoever may patch the
 * pod can change; a profile that is gone allows nothing.
 */
const policyOf = ({ metadata }: Pod, { profiles, microVM }: EphemeralContext): Policy => {
  const machine = microVM?.(machineName(metadata.uid ?? ''));
  const name = machine?.spec.profile ?? metadata.labels?.[PROFILE_LABEL];
  return profiles().find((profile) => profile.metadata.name === name)?.spec.policy ?? {};
};

const addedTo = (pod: Pod, before: Pod | undefined) => {
  const known = new Set((before?.spec.ephemeralContainers ?? []).map(({ name }) => name));
  return (pod.spec.ephemeralContainers ?? []).filter(({ name }) => !known.has(name));
};

/** Answers reviews of `pods/ephemeralcontainers`: what the profile refuses in containers, it refuses here. */
export const ephemeralReviewer =
  (context: EphemeralContext) =>
  (request: AdmissionRequest): Answer => {
    const pod = request.object as unknown as Pod;
    const policy = policyOf(pod, context);
    const refused = addedTo(pod, request.oldObject as unknown as Pod | undefined).flatMap((container) => {
      const message = ephemeralRefusal(container, policy);
      return message === undefined ? [] : [message];
    });
    return refused.length === 0 ? { allowed: true } : refuse(refused.join(', '));
  };
