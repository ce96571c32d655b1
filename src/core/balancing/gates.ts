/** Readiness gates: a pod is ready only once its target is healthy (spec/fargate.md §6.2, "readiness gates"). */
import type { PodCondition } from 'kubernetes-types/core/v1.js';
import type { PatchOperation } from '../json-patch.ts';
import type { Pod } from '../pod.ts';
import { actionsOf, servicesIn } from './actions.ts';
import { GATE_PREFIX } from './annotations.ts';
import { hasBalancer, type StoredIngress, type StoredService, serviceClaim } from './claims.ts';
import { type PoolSpec, poolOfBackend, poolsOfService, type Services } from './pools.ts';

/** Condition types of a pod's gates that balancers open. */
export const gatesOf = ({ spec }: Pod): readonly string[] =>
  (spec.readinessGates ?? [])
    .map(({ conditionType }) => conditionType)
    .filter((type) => type.startsWith(GATE_PREFIX));

const isTrue = ({ status }: Pod, type: string): boolean =>
  (status?.conditions ?? []).some((one) => one.type === type && one.status === 'True');

/** Gates of a pod that are still closed. Once open, a gate stays so: a balancer's trouble is not the pod's. */
export const closedGates = (pod: Pod): readonly string[] => gatesOf(pod).filter((gate) => !isTrue(pod, gate));

/** Whether a pod has a gate of ours and is ready in all that does not depend on us. */
export const waitsForBalancer = (pod: Pod): boolean =>
  gatesOf(pod).length > 0 && pod.metadata.deletionTimestamp === undefined && isTrue(pod, 'ContainersReady');

/** What a gate waits for: a target that is healthy, one that is not yet, or none, because its pool is gone. */
export type GateState = 'healthy' | 'waiting' | 'gone';

const TOLD: Readonly<Record<GateState, Pick<PodCondition, 'reason' | 'message'>>> = {
  healthy: { reason: 'Healthy', message: 'the target is healthy' },
  waiting: { reason: 'Elb.InitialHealthChecking', message: 'Initial health checks in progress' },
  gone: { reason: 'Target.NotRegistered', message: 'no load balancer has the pod as a target any more' },
};

/** The condition of a closed gate. @param now RFC 3339 time, used where the status changes */
export const gateCondition = (
  pod: Pod,
  gate: string,
  state: GateState,
  now: string,
): PodCondition | undefined => {
  const status = state === 'waiting' ? 'False' : 'True';
  const known = pod.status?.conditions?.find(({ type }) => type === gate);
  if (known?.status === status) return undefined;
  return { type: gate, status, ...TOLD[state], lastTransitionTime: now };
};

const selects = ({ spec }: StoredService, labels: Readonly<Record<string, string>>): boolean => {
  const selector = Object.entries(spec?.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => labels[key] === value);
};

/** Pools whose Service selects a pod with these labels. Where there is no balancer yet, none would open their gates. */
const poolsFor = (
  labels: Readonly<Record<string, string>>,
  services: readonly StoredService[],
  ingresses: readonly StoredIngress[],
  find: Services,
): readonly PoolSpec[] => {
  const outcomes = [
    ...services.filter((one) => hasBalancer(one) && serviceClaim(one) === 'ip').flatMap(poolsOfService),
    ...ingresses
      .filter(hasBalancer)
      .flatMap((one) => servicesIn(actionsOf(one)).map((backend) => poolOfBackend(one, backend, find))),
  ];
  return outcomes.flatMap(({ pool }) => (pool !== undefined && selects(pool.service, labels) ? [pool] : []));
};

/**
 * Gives a pod that is being created a gate for every pool that it will be in.
 * @param services of the pod's namespace, as the Ingresses are
 */
export const gatePatch = (
  pod: Pod,
  services: readonly StoredService[],
  ingresses: readonly StoredIngress[],
): readonly PatchOperation[] => {
  const byKey = new Map(services.map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, one]));
  const pools = poolsFor(pod.metadata.labels ?? {}, services, ingresses, (key) => byKey.get(key));
  const present = new Set(gatesOf(pod));
  const missing = [...new Set(pools.map(({ gate }) => gate))].filter((gate) => !present.has(gate));
  if (missing.length === 0) return [];
  const gates = [...(pod.spec.readinessGates ?? []), ...missing.map((conditionType) => ({ conditionType }))];
  return [{ op: 'add', path: '/spec/readinessGates', value: gates }];
};
