/** Opens the readiness gates of pods whose targets are healthy. */
import { type Pod, pods } from '../api/resources.ts';
import type { Balanced } from '../compute/balancer.ts';
import type { Built } from '../core/balancing/build.ts';
import {
  closedGates,
  type GateState,
  gateCondition,
  gatesOf,
  waitsForBalancer,
} from '../core/balancing/gates.ts';
import { targetName } from '../core/balancing/model.ts';
import { orNothing } from '../kube/client.ts';
import type { BalancingContext } from './context.ts';

/** What balancing reads of a pod: its gates and how they stand, its address, and whether it is being deleted. */
export const asTarget = (pod: Pod): Pod => {
  const { name = '', namespace = '', uid = '', resourceVersion = '', deletionTimestamp } = pod.metadata;
  const metadata = { name, namespace, uid, resourceVersion, ...(deletionTimestamp && { deletionTimestamp }) };
  // Pods without gates may be many.
  if (gatesOf(pod).length === 0) return { metadata, spec: { containers: [] } };
  const { readinessGates = [] } = pod.spec;
  const { podIP, conditions = [] } = pod.status ?? {};
  return {
    metadata,
    spec: { containers: [], readinessGates },
    status: { conditions, ...(podIP && { podIP }) },
  };
};

/**
 * A gate whose pool is gone waits for nothing: a pod must not stay unready for a Service that was deleted. Until its
 * containers are ready, a pool that is not seen may be one that is seen a moment later.
 */
const stateOf = (pod: Pod, gate: string, built: Built, balanced: Balanced): GateState => {
  const name = built.gates.get(gate);
  const pool = built.pools.find((one) => one.name === name);
  if (pool === undefined) return waitsForBalancer(pod) ? 'gone' : 'waiting';
  const target = pool.targets.find(({ address }) => address === pod.status?.podIP);
  const healthy = target !== undefined && balanced.healthy(pool.name, targetName(target));
  return healthy ? 'healthy' : 'waiting';
};

/** Writes what is known of each closed gate. Gives whether any of them waits for its target. */
export const openGates = async (
  built: Built,
  balanced: Balanced,
  context: BalancingContext,
): Promise<boolean> => {
  const { client, log, now } = context;
  let waiting = false;
  for (const pod of context.pods.list()) {
    const conditions = closedGates(pod).flatMap((gate) => {
      const state = stateOf(pod, gate, built, balanced);
      waiting ||= state === 'waiting';
      const condition = gateCondition(
        pod,
        gate,
        state,
        now()
          .toISOString()
          .replace(/\.\d+Z$/, 'Z'),
      );
      return condition === undefined ? [] : [condition];
    });
    if (conditions.length === 0) continue;
    const { namespace = '', name = '' } = pod.metadata;
    const patch = { status: { conditions } };
    const options = { type: 'strategic', subresource: 'status' } as const;
    const written = await orNothing(client.patch(pods, { namespace, name }, patch, options));
    if (written === undefined) continue;
    context.pods.assume(written);
    log.info({ pod: `${namespace}/${name}`, conditions }, 'readiness gates');
  }
  return waiting;
};
