/** How a pod ends when its kubelet cannot end it. */
import { nodes, pods } from '../api/resources.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { orNothing } from '../kube/client.ts';
import type { Context, View } from './context.ts';
import { gone } from './reclaim.ts';

const reference = ({ machine }: View) => ({ apiVersion: 'v1', kind: 'Pod', ...machine.pod });

/**
 * The machine died under its pod: the pod becomes Failed with the true reason, and its controller makes
 * another one, which gets a machine of its own.
 */
export const failPod = async (view: View, reason: string, { client, events }: Context): Promise<void> => {
  const { namespace, name, uid } = view.machine.pod;
  const message = `The machine of this pod has ended: ${reason}`;
  const ended = (view.pod?.status?.containerStatuses ?? []).map((container) => ({
    ...container,
    ready: false,
    started: false,
    state: container.state?.terminated === undefined ? lost(message) : container.state,
  }));
  const status = {
    phase: 'Failed',
    reason: 'MachineFailed',
    message,
    ...(ended.length === 0 ? {} : { containerStatuses: ended }),
    conditions: [
      { type: 'Ready', status: 'False', reason: 'MachineFailed', message },
      { type: 'ContainersReady', status: 'False', reason: 'MachineFailed', message },
      { type: 'DisruptionTarget', status: 'True', reason: 'MachineFailed', message },
    ],
  };
  const options = { type: 'strategic', subresource: 'status' } as const;
  // The API server refuses it for a pod that was made anew under the name.
  await gone(client.patch(pods, { namespace, name }, { metadata: { uid }, status }, options));
  await events.event(reference(view), 'Warning', 'MachineFailed', message);
};

const lost = (message: string) => ({
  terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message },
});

/**
 * The Node or the MicroVM was deleted: the pod is deleted with its ordinary grace period. A Node that only
 * the store misses is left alone.
 */
export const deletePod = async (
  view: View,
  deleted: 'Node' | 'MicroVM',
  { client, events }: Context,
): Promise<void> => {
  const { namespace, name, uid } = view.machine.pod;
  if (deleted === 'Node' && (await nodeIsHere(view, client))) return;
  const message = `Deleting the pod because its ${deleted} was deleted`;
  // First: a quota of events, for example, must not keep a machine.
  await gone(client.delete(pods, { namespace, name }, { uid }));
  await events.event(reference(view), 'Normal', 'MachineLeaving', message);
};

/** A pod under deletion that no kubelet will ever confirm is removed at once. */
export const releasePod = async (view: View, { client }: Context): Promise<void> => {
  const { namespace, name, uid } = view.machine.pod;
  await gone(client.delete(pods, { namespace, name }, { uid, gracePeriodSeconds: 0 }));
};

const nodeIsHere = async ({ machine }: View, client: Context['client']): Promise<boolean> => {
  const node = await orNothing(client.get(nodes, { name: nodeNameOf(machine) }));
  return node !== undefined && node.metadata.deletionTimestamp === undefined;
};
