/**
 * Pods that got onto our Nodes past the guard, for example while an administrator had removed it. The guest
 * does not start them; here they get the end that the original's kubelet gives them (spec/fargate.md §3, §5.3).
 */
import type { Logger } from 'pino';
import { type Node, pods } from '../api/resources.ts';
import { machineName } from '../core/machine/microvm.ts';
import { MICROVM_ANNOTATION, NODE_PREFIX, SCHEDULER, UNSUPPORTED_SPEC_REASON } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import { foreignMessage } from '../core/validation/foreign.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { type Controller, done, runController } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import { type Store, watchStore } from '../kube/store.ts';

/** What the guard's second line reads and writes. */
export interface ForeignContext {
  readonly client: KubeClient;
  /** Pods of our scheduler. */
  readonly pods: Store<Pod>;
  /** Bound pods of all other schedulers. */
  readonly foreign: Store<Pod>;
  readonly nodes: Store<Node>;
  readonly events: EventRecorder;
  readonly log: Logger;
}

const isOnOurNode = ({ spec }: Pod): boolean => (spec.nodeName ?? '').startsWith(NODE_PREFIX);

/** Of pods that do not concern us only the name is kept: they may be many. */
const reduced = (pod: Pod): Pod => {
  const { name = '', namespace = '', uid = '', resourceVersion = '', labels, ownerReferences } = pod.metadata;
  const metadata = { name, namespace, uid, resourceVersion };
  return isOnOurNode(pod)
    ? {
        ...pod,
        metadata: { ...metadata, ...(labels && { labels }), ...(ownerReferences && { ownerReferences }) },
      }
    : { metadata, spec: { containers: [] } };
};

/** Bound pods of all schedulers but ours. */
export const foreignPods = (client: KubeClient, log: Logger): Store<Pod> =>
  watchStore(client, pods, {
    fieldSelector: `spec.schedulerName!=${SCHEDULER},spec.nodeName!=`,
    transform: reduced,
    log,
  });

/** Reports such pods as they appear. The stores must be synced. Gives the way to stop it. */
export const runForeign = (context: ForeignContext): Pick<Controller, 'stop'> => {
  const controller = runController({
    name: 'foreign-pods',
    workers: 4,
    reconcile: async (key) => {
      const pod = context.foreign.get(key) ?? context.pods.get(key);
      if (pod !== undefined && isForeign(pod, context.nodes)) await fail(pod, context);
      return done;
    },
    log: context.log,
  });
  const look = (key: string, now: Pod | undefined): void => {
    if (now !== undefined && isForeign(now, context.nodes)) controller.enqueue(key);
  };
  const all = [context.pods, context.foreign];
  const lookAtAll = (): void => {
    for (const store of all)
      for (const pod of store.list()) look(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
  };
  const unsubscribe = [
    ...all.map((store) => store.onChange(look)),
    // The watch may bring a pod before the Node that it is on.
    context.nodes.onChange((_name, now, before) => {
      if (now !== undefined && before === undefined) lookAtAll();
    }),
  ];
  lookAtAll();
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await controller.stop();
    },
  };
};

/** A pod on a Node that exists for another pod, and that has not ended yet. */
const isForeign = (pod: Pod, nodes: Store<Node>): boolean => {
  if (!isOnOurNode(pod) || pod.metadata.deletionTimestamp !== undefined) return false;
  const machine = nodes.get(pod.spec.nodeName ?? '')?.metadata.annotations?.[MICROVM_ANNOTATION];
  const ended = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
  return machine !== undefined && machine !== machineName(pod.metadata.uid ?? '') && !ended;
};

const fail = async (pod: Pod, { client, events, log }: ForeignContext): Promise<void> => {
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const message = foreignMessage(pod);
  const status = { phase: 'Failed', reason: UNSUPPORTED_SPEC_REASON, message };
  const options = { type: 'strategic', subresource: 'status' } as const;
  const failed = await orNothing(
    client.patch(pods, { namespace, name }, { metadata: { uid }, status }, options),
  );
  if (failed === undefined) return; // gone in the meantime
  log.warn({ pod: `${namespace}/${name}`, node: pod.spec.nodeName, message }, 'foreign pod on our node');
  const regarding = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
  await events.event(regarding, 'Warning', UNSUPPORTED_SPEC_REASON, message);
};
