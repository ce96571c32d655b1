/** Opens the readiness gates of pods whose targets are healthy. */
import { type Pod, pods } from '../api/resources.ts';
import type { Balanced } from '../compute/balancer.ts';
import type { Built } from '../core/balancing/build.ts';
import { closedGates, gateCondition, gatesOf } from '../core/balancing/gates.ts';
import { targetName } from '../core/balancing/model.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { type Store, watchStore } from '../kube/store.ts';
import type { BalancingContext } from './context.ts';

/** Of pods without gates only the name is kept: they may be many. */
const reduced = (pod: Pod): Pod => {
  if (gatesOf(pod).length > 0) return pod;
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = pod.metadata;
  return { metadata: { name, namespace, uid, resourceVersion }, spec: { containers: [] } };
};

/** All pods, those without gates by name only: no selector can tell them apart. */
export const gatedPods = (client: KubeClient, log: BalancingContext['log']): Store<Pod> =>
  watchStore(client, pods, { transform: reduced, log });

const isHealthy = (pod: Pod, gate: string, built: Built, balanced: Balanced): boolean => {
  const name = built.gates.get(gate);
  const pool = built.pools.find((one) => one.name === name);
  const target = pool?.targets.find(({ address }) => address === pod.status?.podIP);
  return pool !== undefined && target !== undefined && balanced.healthy(pool.name, targetName(target));
};

/** Writes what is known of each closed gate. Gives whether any of them waits for its target. */
export const openGates = async (
  built: Built,
  balanced: Balanced,
  context: BalancingContext,
): Promise<boolean> => {
  const { client, gated, log, now } = context;
  let waiting = false;
  for (const pod of gated.list()) {
    const known = closedGates(pod).filter((gate) => built.gates.has(gate));
    const conditions = known.flatMap((gate) => {
      const healthy = isHealthy(pod, gate, built, balanced);
      waiting ||= !healthy;
      const condition = gateCondition(
        pod,
        gate,
        healthy,
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
    gated.assume(written);
    log.info({ pod: `${namespace}/${name}`, conditions }, 'readiness gates');
  }
  return waiting;
};
