import { microVMs, nodes } from '../api/resources.ts';
import { nodeNameOf, nodeOf } from '../core/machine/node.ts';
import { MICROVM_ANNOTATION } from '../core/names.ts';
import { isAlreadyExists, orNothing } from '../kube/client.ts';
import { type Context, type StageOfLife, settled, waiting } from './context.ts';
import { removeAbandoned } from './orphans.ts';

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
    if (found !== undefined && holder === machine.name) {
      known.assume(found);
      return settled;
    }
    // What a killed process made last stands in nobody's way.
    if (found !== undefined && holder !== undefined && !(await exists(holder, client)))
      await removeAbandoned(found, holder, context);
    return waiting('NodeNameTaken', `Node ${name} of ${holder ?? 'no machine of ours'} exists`, 500);
  },
};

const exists = async (machine: string, client: Context['client']): Promise<boolean> =>
  (await orNothing(client.get(microVMs, { name: machine }))) !== undefined;
