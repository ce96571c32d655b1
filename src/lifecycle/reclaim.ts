import { microVMs, nodes } from '../api/resources.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { MACHINE_FINALIZER } from '../core/names.ts';
import { orNothing } from '../kube/client.ts';
import type { Context, View } from './context.ts';

/**
 * Reclaimed: the virtual machine, its directory and its address are given back, the Node and the MicroVM
 * are deleted. The order lets every crash be repeated: the MicroVM, which names all the rest, goes last.
 */
export const reclaim = async ({ vm, machine, node }: View, { client, provider }: Context): Promise<void> => {
  await provider.remove(machine.name);
  if (node !== undefined) await gone(client.delete(nodes, { name: nodeNameOf(machine) }));
  const { name } = vm.metadata;
  if (vm.metadata.deletionTimestamp === undefined) await gone(client.delete(microVMs, { name }));
  const others = (vm.metadata.finalizers ?? []).filter((finalizer) => finalizer !== MACHINE_FINALIZER);
  await gone(client.patch(microVMs, { name }, { metadata: { finalizers: others } }, { type: 'merge' }));
};

/** Resolves when the call succeeds or what it is about does not exist. */
export const gone = async (call: Promise<unknown>): Promise<void> => {
  await orNothing(call);
};
