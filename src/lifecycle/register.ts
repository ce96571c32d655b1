import { MICROVM_ANNOTATION } from '../api/names.ts';
import { nodes } from '../api/resources.ts';
import { nodeOf } from '../core/machine/node.ts';
import { isAlreadyExists } from '../kube/client.ts';
import { type StageOfLife, settled, waiting } from './context.ts';

/**
 * Registered: the Node object exists with addresses, capacity and the allocatable that the kubelet will
 * compute, made in one call while the machine boots (prototype fact 6).
 *
 * A Node of the same name that belongs to another machine is one whose address was just freed; its own
 * reclaim takes it away.
 */
export const register: StageOfLife = {
  stage: 'Registered',
  advance: async ({ vm, machine, node }, { client, nodes: known, clusterName, now }) => {
    if (node !== undefined) return settled;
    const wanted = nodeOf(machine, clusterName, now().toISOString());
    try {
      known.assume(await client.create(nodes, wanted));
      return settled;
    } catch (cause) {
      if (!isAlreadyExists(cause)) throw cause;
    }
    const found = await client.get(nodes, { name: wanted.metadata?.name ?? '' });
    if (found.metadata?.annotations?.[MICROVM_ANNOTATION] !== vm.metadata.name) {
      return waiting('NodeNameTaken', `Node ${found.metadata?.name} of an ended machine still exists`, 500);
    }
    known.assume(found);
    return settled;
  },
};
