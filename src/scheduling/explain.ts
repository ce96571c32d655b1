/** Telling on a pod why it stays Pending (spec/fargate.md §3, §11.4). */
import { pods } from '../api/resources.ts';
import type { Pod } from '../core/pod.ts';
import type { Refusal } from '../core/scheduling/decide.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Store } from '../kube/store.ts';

/** Where it is told. */
export interface ExplainContext {
  readonly client: Pick<KubeClient, 'patch'>;
  readonly pods: Pick<Store<Pod>, 'assume'>;
  readonly events: EventRecorder;
  readonly now: () => Date;
}

/** The condition that says whether a pod has its node (Kubernetes documentation "Pod Lifecycle"). */
const SCHEDULED = 'PodScheduled';

/**
 * Writes the condition and an event when the reason has changed, and nothing at every other try. The API
 * server replaces the condition when the pod is bound, so no stale reason outlives the wait.
 */
export const explain = async (
  pod: Pod,
  { reason, message }: Refusal,
  { client, pods: known, events, now }: ExplainContext,
): Promise<void> => {
  const before = pod.status?.conditions?.find(({ type }) => type === SCHEDULED);
  if (before?.status === 'False' && before.reason === reason && before.message === message) return;
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const condition = {
    type: SCHEDULED,
    status: 'False',
    reason,
    message,
    lastTransitionTime: now().toISOString(),
  };
  const status = { conditions: [condition] };
  const options = { type: 'strategic', subresource: 'status' } as const;
  const told = await orNothing(
    client.patch(pods, { namespace, name }, { metadata: { uid }, status }, options),
  );
  if (told === undefined) return; // gone in the meantime
  known.assume(told); // or the next try, when it comes before the watch, would tell it again
  const regarding = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
  await events.event(regarding, 'Warning', 'FailedScheduling', message);
};
