/**
 * A pod's effective requests, by the formula that the default scheduler and the kubelet use.
 * Source: KEP-753 "Resources calculation for scheduling and pod admission" (sidecars), KEP-2837 (pod-level
 * resources), KEP-688 (overhead); spec/fargate.md §4.2 steps 1 to 3 describe the case without them.
 */
import type { Container, Pod } from '../pod.ts';
import { type Nano, parseQuantity, toMiB, toMilli } from './quantity.ts';

/** What a pod asks for in all, rounded up to the units of sizes. */
export interface Requests {
  readonly milliCpu: number;
  readonly memoryMiB: number;
  readonly storageMiB: number;
  /** Names of what no size has, sorted: extended resources and huge pages asked for, then resource claims. */
  readonly unsupported: readonly string[];
}

type Amounts = Map<string, Nano>;
type Quantities = Readonly<Record<string, string | number>> | null | undefined;

const add = (to: Amounts, amounts: Amounts): void => {
  for (const [name, amount] of amounts) to.set(name, (to.get(name) ?? 0n) + amount);
};

const raise = (to: Amounts, amounts: Amounts): void => {
  for (const [name, amount] of amounts) if (amount > (to.get(name) ?? 0n)) to.set(name, amount);
};

const parse = (into: Amounts, quantities: Quantities): Amounts => {
  if (quantities) for (const name in quantities) into.set(name, parseQuantity(quantities[name] ?? 0));
  return into;
};

/** The API server copies a limit to the request that is missing; a manifest has not been there yet. */
const containerRequests = (container: Container): Amounts => {
  const amounts = parse(new Map(), container.resources?.limits);
  return parse(amounts, container.resources?.requests);
};

/**
 * Containers together: regular ones and sidecars run at once; an init container runs beside the sidecars
 * that are listed before it.
 */
const aggregate = (pod: Pod): Amounts => {
  const running: Amounts = new Map();
  for (const container of pod.spec.containers ?? []) add(running, containerRequests(container));
  const sidecars: Amounts = new Map();
  const starting: Amounts = new Map();
  for (const container of pod.spec.initContainers ?? []) {
    const own = containerRequests(container);
    if (container.restartPolicy === 'Always') {
      add(running, own);
      add(sidecars, own);
      raise(starting, sidecars);
    } else {
      add(own, sidecars);
      raise(starting, own);
    }
  }
  raise(running, starting);
  return running;
};

/** Resources that can be given for the pod as a whole. */
const isPodLevel = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/** Pod-level requests stand above those of containers; a pod-level limit fills in where neither is given. */
const podLevel = (amounts: Amounts, pod: Pod): void => {
  const { requests, limits } = pod.spec.resources ?? {};
  if (limits)
    for (const [name, amount] of parse(new Map(), limits))
      if (isPodLevel(name) && !amounts.has(name)) amounts.set(name, amount);
  if (requests)
    for (const [name, amount] of parse(new Map(), requests)) if (isPodLevel(name)) amounts.set(name, amount);
};

const SIZED: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);

const unsupported = (amounts: Amounts, pod: Pod): readonly string[] => {
  const names: string[] = [];
  for (const [name, amount] of amounts) if (amount > 0n && !SIZED.has(name)) names.push(name);
  names.sort();
  for (const claim of pod.spec.resourceClaims ?? []) names.push(claim.name);
  return names;
};

/**
 * What the pod asks for, overhead of its runtime class included.
 * @throws QuantityError when a quantity is malformed
 */
export const requestsOf = (pod: Pod): Requests => {
  const amounts = aggregate(pod);
  podLevel(amounts, pod);
  if (pod.spec.overhead) add(amounts, parse(new Map(), pod.spec.overhead));
  return {
    milliCpu: toMilli(amounts.get('cpu') ?? 0n),
    memoryMiB: toMiB(amounts.get('memory') ?? 0n),
    storageMiB: toMiB(amounts.get('ephemeral-storage') ?? 0n),
    unsupported: unsupported(amounts, pod),
  };
};
