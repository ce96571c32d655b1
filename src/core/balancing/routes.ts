/** The rules of HTTP listeners, in the order in which they are asked. */
import type { HTTPIngressPath, IngressBackend } from 'kubernetes-types/networking/v1.js';
import { NOWHERE, respond } from './actions.ts';
import type { StoredIngress } from './claims.ts';
import { conditionsOf, PATTERN_MOST } from './conditions.ts';
import { orderOf } from './groups.ts';
import type { Action, HostMatch, PathMatch, Problem, Route, Routes } from './model.ts';
import { inWords, originOf } from './origins.ts';

/** What becomes of requests for a backend. */
export type Resolve = (ingress: StoredIngress, backend: IngressBackend) => Action;

/** A route and where it stands. */
interface Written {
  readonly route: Route;
  readonly ingress: StoredIngress;
  /** As people know it: host and path. */
  readonly place: string;
  readonly problem: string | undefined;
}

/** No request has them, and they would end a line of a balancer's configuration. */
const CONTROL_CHARACTERS = /[\x00-\x1f\x7f]/;

/** Paths of type ImplementationSpecific are patterns of the original's listener rules; without wildcards, exact. */
const patternOf = (path: string): PathMatch => ({ kind: /[*?]/.test(path) ? 'pattern' : 'exact', path });

/** No path is every path. */
const matchesOf = ({ path, pathType }: HTTPIngressPath): readonly PathMatch[] => {
  if (!path) return [];
  if (pathType === 'Exact') return [{ kind: 'exact', path }];
  if (pathType !== 'Prefix') return [patternOf(path)];
  // A final slash makes no difference to a prefix (Kubernetes documentation, "Ingress", examples).
  return [{ kind: 'prefix', path: path.replace(/(?<=.)\/$/, '') }];
};

const hostsOf = (host: string | undefined): readonly HostMatch[] =>
  host ? [{ kind: host.startsWith('*.') ? 'label' : 'exact', host }] : [];

const hostPattern = (host: string): HostMatch => ({ kind: /[*?]/.test(host) ? 'pattern' : 'exact', host });

const written = (ingress: StoredIngress, resolve: Resolve): readonly Written[] =>
  (ingress.spec?.rules ?? []).flatMap(({ host, http }) =>
    (http?.paths ?? []).map((path): Written => {
      const { spec, problem } = conditionsOf(ingress, path.backend);
      const route: Route = {
        hosts: [...hostsOf(host), ...spec.hosts.map(hostPattern)],
        paths: [...matchesOf(path), ...spec.paths.map(patternOf)],
        conditions: spec.conditions,
        action: problem === undefined ? resolve(ingress, path.backend) : NOWHERE,
      };
      return { route, ingress, place: `${host || '*'}${path.path || '/'}`, problem };
    }),
  );

const HOSTS: Readonly<Record<HostMatch['kind'], number>> = { exact: 0, label: 1, pattern: 1 };
const PATHS: Readonly<Record<PathMatch['kind'], number>> = { exact: 0, prefix: 1, pattern: 2 };

/** Exact hosts before those with a wildcard, and every host last. */
const hostRank = ({ hosts: [first] }: Route): number => (first === undefined ? 2 : HOSTS[first.kind]);

/** The original's order: exact paths, then prefixes, the longest first, then patterns as they are written. */
const byPath = ({ paths: [a] }: Route, { paths: [b] }: Route): number => {
  const [first, second] = [a, b].map((one) => (one === undefined ? 3 : PATHS[one.kind]) as number);
  if (first !== second) return (first as number) - (second as number);
  return a?.kind === 'prefix' && b?.kind === 'prefix' ? b.path.length - a.path.length : 0;
};

/** Rules of a lower order are asked before all others of the group; of the same, what is more exact comes first. */
const before = (a: Written, b: Written): number =>
  orderOf(a.ingress) - orderOf(b.ingress) ||
  hostRank(a.route) - hostRank(b.route) ||
  byPath(a.route, b.route) ||
  b.route.conditions.length - a.route.conditions.length;

/** What a request meets that no rule takes: the first default backend, or nothing. */
const otherwiseOf = (
  ingresses: readonly StoredIngress[],
  resolve: Resolve,
): { readonly otherwise: Action; readonly problems: readonly Problem[] } => {
  const [first, ...later] = ingresses.filter(({ spec }) => spec?.defaultBackend !== undefined);
  const backend = first?.spec?.defaultBackend;
  if (first === undefined || backend === undefined) return { otherwise: respond(404, ''), problems: [] };
  const problems = later.map((ingress) => ({
    origin: originOf('Ingress', ingress),
    message: `spec.defaultBackend does not count: ${inWords(originOf('Ingress', first))} of the same group has one, which comes first. Remove one of the two`,
  }));
  return { otherwise: resolve(first, backend), problems };
};

const keyOf = ({ hosts, paths, conditions }: Route): string => JSON.stringify([hosts, paths, conditions]);

/**
 * The routes of Ingresses that share a listener. Of two for the same host and path the first counts: that of
 * the Ingress that comes first.
 */
export const routesOf = (
  ingresses: readonly StoredIngress[],
  resolve: Resolve,
): Routes & { readonly problems: readonly Problem[] } => {
  const first = new Map<string, Written>();
  const { otherwise, problems: others } = otherwiseOf(ingresses, resolve);
  const problems: Problem[] = [...others];
  for (const one of ingresses.flatMap((ingress) => written(ingress, resolve))) {
    const { route, ingress, place, problem } = one;
    const tell = (message: string) => problems.push({ origin: originOf('Ingress', ingress), message });
    if (problem !== undefined) tell(`${problem}. Requests for ${place} are answered with 503`);
    if (CONTROL_CHARACTERS.test(place)) {
      tell(`the rule for ${JSON.stringify(place)} does not count: it has control characters. Remove them`);
      continue;
    }
    if (route.paths.some(({ kind, path }) => kind === 'pattern' && path.length > PATTERN_MOST)) {
      tell(
        `the rule for ${place} does not count: its pattern has more than ${PATTERN_MOST} characters. Shorten it`,
      );
      continue;
    }
    const other = first.get(keyOf(route));
    if (other === undefined) {
      first.set(keyOf(route), one);
      continue;
    }
    const winner = inWords(originOf('Ingress', other.ingress));
    tell(
      `the rule for ${place} does not count: ${winner} has one for the same host and path, which comes first. Remove one of the two`,
    );
  }
  const routes = [...first.values()].toSorted(before).map(({ route }) => route);
  return { routes, otherwise, problems };
};
