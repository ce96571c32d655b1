/** Containers that are added to pods on our nodes, as `kubectl debug` does (spec/fargate.md §3.2). */

import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import { machineName } from '../core/machine/microvm.ts';
import type { Pod } from '../core/pod.ts';
import { ephemeralRefusal } from '../core/validation/ephemeral.ts';
import type { Policy } from '../core/validation/policy.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** What the pods are judged by. */
export interface EphemeralContext {
  readonly profiles: () => readonly FargateProfile[];
  /** The machine of that name. Without it, no pod has one. */
  readonly microVM?: (name: string) => MicroVM | undefined;
}

/**
 * The policy of the profile that the pod's machine was made for; a profile that is gone allows nothing. Nor does a
 * label: whoever may patch the pod could name an open profile for a moment, add a container by it, and then run under
 * a strict one.
 */
const policyOf = ({ metadata }: Pod, { profiles, microVM }: EphemeralContext): Policy => {
  const name = microVM?.(machineName(metadata.uid ?? ''))?.spec.profile;
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
