/** From Services, Ingresses and EndpointSlices to what the balancers are told. */
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { ALB_GROUP_ORDER } from './annotations.ts';
import type { StoredIngress, StoredService } from './claims.ts';
import { listenPorts } from './listeners.ts';
import type { Balancing, Listener, Pool, Problem } from './model.ts';
import { originOf, type PoolSpec, poolOfBackend, poolsOfService, type Services } from './pools.ts';
import { routesOf } from './routes.ts';
import { type PodStates, targetsOf } from './targets.ts';

/** One address and what is behind it. */
export type Front =
  | { readonly kind: 'Service'; readonly address: string; readonly service: StoredService }
  /** One Ingress, or all of a group. */
  | { readonly kind: 'Ingress'; readonly address: string; readonly ingresses: readonly StoredIngress[] };

/** What is known of the cluster. */
export interface Surroundings {
  readonly services: Services;
  /** EndpointSlices of a Service, by `namespace/name`. */
  readonly slices: (service: string) => readonly EndpointSlice[];
  readonly pods: PodStates;
}

/** What balancers are told, and what of it could not be. */
export interface Built extends Balancing {
  readonly problems: readonly Problem[];
  /** Names of pools by readiness gate. */
  readonly gates: ReadonlyMap<string, string>;
}

interface Parts {
  readonly listeners: readonly Listener[];
  readonly specs: readonly PoolSpec[];
  readonly problems: readonly Problem[];
}

const partsOfService = (service: StoredService, address: string): Parts => {
  const outcomes = poolsOfService(service);
  const specs = outcomes.flatMap(({ pool }) => (pool === undefined ? [] : [pool]));
  const sources = service.spec?.loadBalancerSourceRanges ?? [];
  return {
    listeners: specs.map(({ name, port }) => ({
      kind: 'tcp',
      address,
      port: port.port,
      sources,
      pool: name,
    })),
    specs,
    problems: outcomes.flatMap(({ problems }) => problems),
  };
};

const orderOf = ({ metadata }: StoredIngress): number => {
  const order = Number(metadata.annotations?.[ALB_GROUP_ORDER] ?? 0);
  return Number.isInteger(order) ? order : 0;
};

const keyOf = ({ metadata }: StoredIngress): string => `${metadata.namespace}/${metadata.name}`;

/** By their order in the group, then by name, as the original sorts them. */
const inOrder = (ingresses: readonly StoredIngress[]): readonly StoredIngress[] =>
  ingresses.toSorted((a, b) => orderOf(a) - orderOf(b) || (keyOf(a) < keyOf(b) ? -1 : 1));

const partsOfIngresses = (
  ingresses: readonly StoredIngress[],
  address: string,
  services: Services,
): Parts => {
  const specs = new Map<string, PoolSpec>();
  const problems: Problem[] = [];
  const byPort = new Map<number, StoredIngress[]>();
  for (const ingress of inOrder(ingresses)) {
    const wanted = listenPorts(ingress);
    const origin = originOf('Ingress', ingress);
    problems.push(...wanted.problems.map((message) => ({ origin, message })));
    for (const port of wanted.ports) byPort.set(port, [...(byPort.get(port) ?? []), ingress]);
  }
  const listeners = [...byPort].map(([port, own]): Listener => {
    const rules = routesOf(own, (ingress, backend) => {
      const outcome = poolOfBackend(ingress, backend, services);
      problems.push(...outcome.problems);
      if (outcome.pool !== undefined) specs.set(outcome.pool.name, outcome.pool);
      return outcome.pool?.name;
    });
    problems.push(...rules.problems);
    return { kind: 'http', address, port, sources: [], routes: rules.routes };
  });
  return { listeners, specs: [...specs.values()], problems };
};

const partsOf = (one: Front, services: Services): Parts =>
  one.kind === 'Service'
    ? partsOfService(one.service, one.address)
    : partsOfIngresses(one.ingresses, one.address, services);

const poolOf = (spec: PoolSpec, source: string, { slices, pods }: Surroundings): Pool => {
  const { namespace, name } = spec.service.metadata;
  const targets = targetsOf(slices(`${namespace}/${name}`), spec.port.name ?? '', pods);
  return { name: spec.name, mode: spec.mode, source, check: spec.check, targets };
};

/** The same problem is told once, however many listeners have it. */
const distinct = (problems: readonly Problem[]): readonly Problem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
];

/** Builds everything that all balancers do. */
export const build = (fronts: readonly Front[], surroundings: Surroundings): Built => {
  const all = fronts.map((one) => ({ ...partsOf(one, surroundings.services), address: one.address }));
  return {
    listeners: all.flatMap(({ listeners }) => listeners),
    pools: all.flatMap(({ specs, address }) => specs.map((spec) => poolOf(spec, address, surroundings))),
    problems: distinct(all.flatMap(({ problems }) => problems)),
    gates: new Map(all.flatMap(({ specs }) => specs.map(({ gate, name }) => [gate, name]))),
  };
};
