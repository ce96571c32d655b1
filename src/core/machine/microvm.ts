/** The MicroVM object of a pod, complete when it is created and frozen from then on. */

import { groupsOn } from '../groups/annotation.ts';
import {
  API_VERSION,
  CAPACITY_ANNOTATION,
  LOGGING_ANNOTATION,
  MACHINE_FINALIZER,
  NODE_ANNOTATION,
  PROFILE_LABEL,
} from '../names.ts';
import { nodeName } from '../net/names.ts';
import type { Pod } from '../pod.ts';
import { capacityProvisioned } from '../sizing/size.ts';
import type { Machine, Placement, Size } from './machine.ts';
import type { Opened } from './opened.ts';

/** What was decided for a pod. */
export interface Decision {
  readonly profile: string;
  readonly size: Size;
  readonly placement: Placement;
  /** Hash that names the guest image. */
  readonly image: string;
  readonly opened?: Opened | undefined;
}

/** A pod without what every stored pod has. */
export class IncompletePodError extends Error {
  constructor(field: string) {
    super(`the pod has no metadata.${field}; only a pod that the API server stored can get a machine`);
    this.name = 'IncompletePodError';
  }
}

/** Name of the machine of the pod with that UID. */
export const machineName = (podUid: string): string => `vm-${podUid}`;

const required = (pod: Pod, field: 'namespace' | 'name' | 'uid'): string => {
  const value = pod.metadata[field];
  if (!value) throw new IncompletePodError(field);
  return value;
};

/**
 * The machine of a pod.
 * @throws IncompletePodError when the pod has no namespace, name or UID
 */
export const machineFor = (pod: Pod, decision: Decision): Machine => {
  const uid = required(pod, 'uid');
  return {
    name: machineName(uid),
    pod: { namespace: required(pod, 'namespace'), name: required(pod, 'name'), uid },
    profile: decision.profile,
    size: decision.size,
    placement: decision.placement,
    securityGroups: groupsOn(pod),
    image: decision.image,
    ...(decision.opened && { opened: decision.opened }),
  };
};

/**
 * The MicroVM object of a machine. Its finalizer is there from the first write, before anything outside
 * Kubernetes exists; its annotations are what `kubectl get microvms` shows besides the spec, and what the
 * binding hands on to the pod.
 * @param logging value of the pod's annotation `Logging`, where it is known
 */
export const microVMOf = ({ name, ...spec }: Machine, logging?: string) => ({
  apiVersion: API_VERSION as typeof API_VERSION,
  kind: 'MicroVM' as const,
  metadata: {
    name,
    finalizers: [MACHINE_FINALIZER],
    labels: { [PROFILE_LABEL]: spec.profile },
    annotations: {
      [CAPACITY_ANNOTATION]: capacityProvisioned(spec.size),
      [NODE_ANNOTATION]: nodeName(spec.placement.address, spec.placement.region),
      ...(logging === undefined ? {} : { [LOGGING_ANNOTATION]: logging }),
    },
  },
  spec,
});
