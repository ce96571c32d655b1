/** From Services, Ingresses and EndpointSlices to what the balancers are told. */
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { StoredIngress, StoredService } from './claims.ts';
import { type Parts, partsOfIngresses, type References } from './ingresses.ts';
import type { Balancing, Pool, Problem } from './model.ts';
import { type PoolSpec, poolsOfService } from './pools.ts';
import { sourcesOfService } from './sources.ts';
import { type PodStates, targetsOf } from './targets.ts';
import { unheededOfService } from './unheeded.ts';

/** One address and what is behind it. */
export type Front =
  | { readonly kind: 'Service'; readonly address: string; readonly service: StoredService }
  /** One Ingress, or all of a group. */
  | { readonly kind: 'Ingress'; readonly address: string; readonly ingresses: readonly StoredIngress[] };

/** What is known of the cluster. */
export interface Surroundings extends References {
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

const partsOfService = (service: StoredService, address: string): Parts => {
  const outcomes = poolsOfService(service);
  const specs = outcomes.flatMap(({ pool }) => (pool === undefined ? [] : [pool]));
  const { sources, problems } = sourcesOfService(service);
  return {
    listeners:
      sources === undefined
        ? []
        : specs.map(({ name, port }) => ({ kind: 'tcp', address, port: port.port, sources, pool: name })),
    specs,
    problems: [...problems, ...outcomes.flatMap((one) => one.problems), ...unheededOfService(service)],
  };
};

const partsOf = (one: Front, references: References): Parts =>
  one.kind === 'Service'
    ? partsOfService(one.service, one.address)
    : partsOfIngresses(one.ingresses, one.address, references);

const poolOf = (spec: PoolSpec, source: string, { slices, pods }: Surroundings): Pool => {
  const { namespace, name } = spec.service.metadata;
  const targets = targetsOf(slices(`${namespace}/${name}`), spec.port.name ?? '', spec.gate, pods);
  const { name: pool, mode, check, tls, proxyProtocol, drainSeconds } = spec;
  return { name: pool, mode, source, check, tls, proxyProtocol, drainSeconds, targets };
};

/** The same problem is told once, however many listeners have it. */
const distinct = (problems: readonly Problem[]): readonly Problem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
];

/** Builds everything that all balancers do. */
export const build = (fronts: readonly Front[], surroundings: Surroundings): Built => {
  const all = fronts.map((one) => ({ ...partsOf(one, surroundings), address: one.address }));
  return {
    listeners: all.flatMap(({ listeners }) => listeners),
    pools: all.flatMap(({ specs, address }) => specs.map((spec) => poolOf(spec, address, surroundings))),
    problems: distinct(all.flatMap(({ problems }) => problems)),
    gates: new Map(all.flatMap(({ specs }) => specs.map(({ gate, name }) => [gate, name]))),
  };
};
