/** The end of a pod that is on one of our nodes and should not be (spec/fargate.md §3.1, §5.3). */
import type { Pod } from '../pod.ts';
import { refusal, violationsOf } from './validate.ts';

/**
 * The message of the original's kubelet: all that it refuses in the pod. A pod with nothing to refuse is on the
 * node of another one, which is our own clause.
 */
export const foreignMessage = (pod: Pod): string =>
  refusal(pod, violationsOf(pod), 'kubelet') ??
  `Pod not supported: node ${pod.spec.nodeName} belongs to another pod`;
