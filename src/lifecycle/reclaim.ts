import { MACHINE_FINALIZER } from '../api/names.ts';
import { microVMs, nodes, pods } from '../api/resources.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { orNothing } from '../kube/client.ts';
import type { Context, View } from './context.ts';

/**
 * Reclaimed: the virtual machine, its directory and its address are given back, the Node and the MicroVM
 * are deleted. The order lets every crash be repeated: the MicroVM, which names all the rest, goes last.
 *
 * The store says that the pod is gone; before anything is destroyed the API server has to say so too.
 * Gives false when it does not.
 */
export const reclaim = async (
  { vm, machine, node }: View,
  { client, provider }: Context,
): Promise<boolean> => {
  if (await podStillHere({ vm, machine }, client)) return false;
  await provider.remove(machine.name);
  if (node !== undefined) await gone(client.delete(nodes, { name: nodeNameOf(machine) }));
  const { name } = vm.metadata;
  if (vm.metadata.deletionTimestamp === undefined) await gone(client.delete(microVMs, { name }));
  const others = (vm.metadata.finalizers ?? []).filter((finalizer) => finalizer !== MACHINE_FINALIZER);
  await gone(client.patch(microVMs, { name }, { metadata: { finalizers: others } }, { type: 'merge' }));
  return true;
};

const podStillHere = async (
  { machine }: Pick<View, 'vm' | 'machine'>,
  client: Context['client'],
): Promise<boolean> => {
  const { namespace, name, uid } = machine.pod;
  const pod = await orNothing(client.get(pods, { namespace, name }));
  if (pod === undefined) return false;
  const elsewhere = (pod.spec.nodeName ?? '') !== '' && pod.spec.nodeName !== nodeNameOf(machine);
  return pod.metadata.uid === uid && !elsewhere;
};

/** Resolves when the call succeeds or what it is about does not exist. */
export const gone = async (call: Promise<unknown>): Promise<void> => {
  await orNothing(call);
};
