/** Lower requests for a pod that is larger than every size. */
import { applyPatch, type PatchOperation, pointerSegment, valueAt } from '../json-patch.ts';
import { NODE_MEMORY_MIB } from '../machine/machine.ts';
import type { Pod } from '../pod.ts';
import { parseQuantity, UNIT } from '../sizing/quantity.ts';
import { requestsOf } from '../sizing/requests.ts';
import { MAX_STORAGE_GIB, STEPS } from '../sizing/size.ts';

interface Resource {
  readonly name: 'cpu' | 'memory' | 'ephemeral-storage';
  /** What a pod asks for, in steps of `unit` billionths. */
  readonly asked: (pod: Pod) => number;
  readonly most: number;
  readonly unit: bigint;
  readonly suffix: string;
}

const RESOURCES: readonly Resource[] = [
  {
    name: 'cpu',
    asked: (pod) => requestsOf(pod).milliCpu,
    most: Math.max(...STEPS.map(({ milliCpu }) => milliCpu)),
    unit: UNIT / 1000n,
    suffix: 'm',
  },
  {
    name: 'memory',
    asked: (pod) => requestsOf(pod).memoryMiB,
    most: Math.max(...STEPS.map(({ memoryMiB }) => memoryMiB)) - NODE_MEMORY_MIB,
    unit: UNIT << 20n,
    suffix: 'Mi',
  },
  {
    name: 'ephemeral-storage',
    asked: (pod) => requestsOf(pod).storageMiB,
    most: MAX_STORAGE_GIB * 1024,
    unit: UNIT << 20n,
    suffix: 'Mi',
  },
];

/** Places where requests can stand: the pod as a whole, then its containers. */
const placesOf = ({ spec }: Pod): readonly string[] => [
  '/spec/resources',
  ...spec.containers.map((_, i) => `/spec/containers/${i}/resources`),
  ...(spec.initContainers ?? []).map((_, i) => `/spec/initContainers/${i}/resources`),
];

/** The edit that takes the excess away in one place, undefined when not so much is asked for there. */
const lower = (pod: Pod, at: string, resource: Resource): readonly PatchOperation[] | undefined => {
  const key = pointerSegment(resource.name);
  const own = valueAt(pod, `${at}/requests/${key}`) ?? valueAt(pod, `${at}/limits/${key}`);
  if (typeof own !== 'string' && typeof own !== 'number') return undefined;
  const left = Number(parseQuantity(own) / resource.unit) - (resource.asked(pod) - resource.most);
  if (left <= 0) return undefined;
  const value = `${left}${resource.suffix}`;
  return valueAt(pod, `${at}/requests`) === undefined
    ? [{ op: 'add', path: `${at}/requests`, value: { [resource.name]: value } }]
    : [{ op: 'add', path: `${at}/requests/${key}`, value }];
};

/**
 * Requests that fit into the largest size, each lowered in one place; empty when that cannot be done so.
 * @throws QuantityError when a quantity is malformed
 */
export const shrink = (pod: Pod): readonly PatchOperation[] => {
  const patch: PatchOperation[] = [];
  for (const resource of RESOURCES) {
    const now = applyPatch(pod, patch);
    if (resource.asked(now) <= resource.most) continue;
    const found = placesOf(now)
      .map((at) => lower(now, at, resource))
      .find((edit) => edit !== undefined && resource.asked(applyPatch(now, edit)) <= resource.most);
    if (found === undefined) return [];
    patch.push(...found);
  }
  return patch;
};
