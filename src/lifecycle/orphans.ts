import { microVMs, type Node, nodes } from '../api/resources.ts';
import { COMPUTE_TYPE, COMPUTE_TYPE_FARGATE, MICROVM_ANNOTATION } from '../core/names.ts';
import { orNothing } from '../kube/client.ts';
import type { Context } from './context.ts';
import { gone } from './reclaim.ts';

/**
 * Compares at start what exists with what should: machines and Nodes that no MicroVM names are what a
 * crashed or restored control plane left behind, and are removed. One that resists keeps nobody else from starting.
 * The stores must be synced.
 */
export const removeOrphans = async (context: Context): Promise<void> => {
  const { provider, microVMs: named, log } = context;
  for (const name of await provider.list()) {
    if (named.get(name) !== undefined) continue;
    log.warn({ machine: name }, 'removing a machine that no MicroVM names');
    try {
      await provider.remove(name);
    } catch (cause) {
      log.error({ machine: name, err: cause }, 'it cannot be removed; it is tried again at the next start');
    }
  }
  for (const node of context.nodes.list()) {
    const owner = node.metadata.annotations?.[MICROVM_ANNOTATION];
    const ours = node.metadata.labels?.[COMPUTE_TYPE] === COMPUTE_TYPE_FARGATE && owner !== undefined;
    if (!ours || named.get(owner) !== undefined) continue;
    await removeAbandoned(node, owner, context);
  }
};

/** Removes a machine whose MicroVM somebody forced away, and its Node; not one that only the store misses. */
export const removeNameless = async (name: string, context: Context): Promise<void> => {
  const { client, provider, nodes: known, log } = context;
  if ((await orNothing(client.get(microVMs, { name }))) !== undefined) return;
  log.warn({ machine: name }, 'removing a machine whose MicroVM is gone');
  await provider.remove(name);
  const own = known.list().filter(({ metadata }) => metadata.annotations?.[MICROVM_ANNOTATION] === name);
  for (const node of own) await removeAbandoned(node, name, context);
};

/** Removes a Node whose MicroVM is gone: this very one, and none that was made anew under its name. */
export const removeAbandoned = async (node: Node, owner: string, { client, log }: Context): Promise<void> => {
  const { name = '', uid } = node.metadata;
  log.warn({ node: name, machine: owner }, 'removing a Node whose MicroVM is gone');
  await gone(client.delete(nodes, { name }, { uid }));
};
