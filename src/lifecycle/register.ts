import { microVMs, type Node, nodes } from '../api/resources.ts';
import { nodeNameOf, nodeOf } from '../core/machine/node.ts';
import { MICROVM_ANNOTATION } from '../core/names.ts';
import { isAlreadyExists, orNothing } from '../kube/client.ts';
import { type Context, type StageOfLife, settled, waiting } from './context.ts';
import { gone } from './reclaim.ts';

/**
 * Registered: the Node object exists with addresses, capacity and the allocatable that the kubelet will
 * compute, made in one call.
 *
 * It is also the machine's claim on its address, whose name it has: the API server gives a name once, so of two
 * machines that were placed at one address, whatever crash it came from, one stops here, before anything of it
 * exists. Its fate is to be reclaimed, and its pod is placed anew.
 */
export const register: StageOfLife = {
  stage: 'Registered',
  advance: async ({ machine, node }, context) => {
    if (node !== undefined) return settled;
    const { client, nodes: known, clusterName, now } = context;
    const wanted = nodeOf(machine, clusterName, now().toISOString());
    const name = nodeNameOf(machine);
    try {
      known.assume(await client.create(nodes, wanted));
      return settled;
    } catch (cause) {
      if (!isAlreadyExists(cause)) throw cause;
    }
    const found = await orNothing(client.get(nodes, { name }));
    const holder = found?.metadata.annotations?.[MICROVM_ANNOTATION];
    if (found !== undefined && holder !== undefined) {
      if (holder !== machine.name) await removeAbandoned(found, holder, context);
      else {
        known.assume(found);
        return settled;
      }
    }
    return waiting('NodeNameTaken', `Node ${name} of ${holder ?? 'no machine of ours'} exists`, 500);
  },
};

/** A Node whose MicroVM is gone is what a killed process made last. */
const removeAbandoned = async (node: Node, holder: string, { client, log }: Context): Promise<void> => {
  if ((await orNothing(client.get(microVMs, { name: holder }))) !== undefined) return;
  const { name = '', uid } = node.metadata;
  log.warn({ node: name, machine: holder }, 'removing a Node whose MicroVM is gone');
  await gone(client.delete(nodes, { name }, { uid }));
};
