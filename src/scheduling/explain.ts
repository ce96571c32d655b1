/** Telling on a pod why it stays Pending (spec/fargate.md §3, §11.4). */
import { pods } from '../api/resources.ts';
import type { Pod } from '../core/pod.ts';
import type { Refusal } from '../core/scheduling/decide.ts';
import { isNotFound, type KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';

/** The condition that says whether a pod has its node (Kubernetes documentation "Pod Lifecycle"). */
const SCHEDULED = 'PodScheduled';

/**
 * Writes the condition and an event when the reason has changed, and nothing at every other try. The API
 * server replaces the condition when the pod is bound, so no stale reason outlives the wait.
 */
export const explain = async (
  pod: Pod,
  { reason, message }: Refusal,
  { client, events, now }: { client: KubeClient; events: EventRecorder; now: () => Date },
): Promise<void> => {
  const told = pod.status?.conditions?.find(({ type }) => type === SCHEDULED);
  if (told?.status === 'False' && told.reason === reason && told.message === message) return;
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const condition = {
    type: SCHEDULED,
    status: 'False',
    reason,
    message,
    lastTransitionTime: now().toISOString(),
  };
  try {
    const status = { conditions: [condition] };
    await client.patch(pods, { namespace, name }, { status }, { type: 'strategic', subresource: 'status' });
  } catch (cause) {
    if (isNotFound(cause)) return;
    throw cause;
  }
  const regarding = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
  await events.event(regarding, 'Warning', 'FailedScheduling', message);
};
