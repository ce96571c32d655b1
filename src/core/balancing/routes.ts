/** The rules of HTTP listeners, in the order in which they are asked. */
import type { HTTPIngressPath, IngressBackend } from 'kubernetes-types/networking/v1.js';
import type { StoredIngress } from './claims.ts';
import type { PathMatch, Problem, Route } from './model.ts';
import { inWords, originOf } from './origins.ts';

/** Where a backend's requests go: the name of its pool, undefined for 503. */
export type PoolName = (ingress: StoredIngress, backend: IngressBackend) => string | undefined;

/** A route and the Ingress that it stands in. */
interface Written {
  readonly route: Route;
  readonly ingress: StoredIngress;
}

/** No request has them, and they would end a line of a balancer's configuration. */
const CONTROL_CHARACTERS = /[\x00-\x1f\x7f]/;

const EVERYTHING: PathMatch = { kind: 'prefix', path: '/' };

/** No path is every path. Those of type ImplementationSpecific are patterns of the original's listener rules; without wildcards, exact. */
const matchOf = ({ path, pathType }: HTTPIngressPath): PathMatch => {
  if (!path) return EVERYTHING;
  if (pathType === 'Exact') return { kind: 'exact', path };
  // A final slash makes no difference to a prefix (Kubernetes documentation, "Ingress", examples).
  if (pathType === 'Prefix') return { kind: 'prefix', path: path.replace(/(?<=.)\/$/, '') };
  return { kind: /[*?]/.test(path) ? 'pattern' : 'exact', path };
};

const written = (ingress: StoredIngress, poolOf: PoolName): readonly Written[] => {
  const { rules = [], defaultBackend } = ingress.spec ?? {};
  const routes = rules.flatMap(({ host, http }) =>
    (http?.paths ?? []).map((path) => ({
      host: host || undefined,
      match: matchOf(path),
      pool: poolOf(ingress, path.backend),
    })),
  );
  const last =
    defaultBackend === undefined
      ? []
      : [{ host: undefined, match: EVERYTHING, pool: poolOf(ingress, defaultBackend) }];
  return [...routes, ...last].map((route) => ({ route, ingress }));
};

/** Exact hosts before those with a wildcard, and every host last. */
const hostRank = ({ host }: Route): number => (host === undefined ? 2 : host.startsWith('*.') ? 1 : 0);

const KINDS: Readonly<Record<PathMatch['kind'], number>> = { exact: 0, prefix: 1, pattern: 2 };

/** The original's order: exact paths, then prefixes, the longest first, then patterns as they are written. */
const before = (a: Route, b: Route): number =>
  hostRank(a) - hostRank(b) ||
  KINDS[a.match.kind] - KINDS[b.match.kind] ||
  (a.match.kind === 'prefix' ? b.match.path.length - a.match.path.length : 0);

const placeOf = ({ host, match }: Route): string => `${host ?? '*'}${match.path}`;

/**
 * The routes of Ingresses that share a listener. Of two for the same host and path the first counts: that of
 * the Ingress that comes first.
 */
export const routesOf = (
  ingresses: readonly StoredIngress[],
  poolOf: PoolName,
): { readonly routes: readonly Route[]; readonly problems: readonly Problem[] } => {
  const first = new Map<string, Written>();
  const problems: Problem[] = [];
  for (const one of ingresses.flatMap((ingress) => written(ingress, poolOf))) {
    const { route, ingress } = one;
    if (CONTROL_CHARACTERS.test(placeOf(route))) {
      const message = `the rule for ${JSON.stringify(placeOf(route))} does not count: it has control characters. Remove them`;
      problems.push({ origin: originOf('Ingress', ingress), message });
      continue;
    }
    const key = JSON.stringify([route.host, route.match]);
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, one);
      continue;
    }
    const origin = originOf('Ingress', ingress);
    const winner = inWords(originOf('Ingress', other.ingress));
    const message = `the rule for ${placeOf(route)} does not count: ${winner} has one for the same host and path, which comes first. Remove one of the two`;
    problems.push({ origin, message });
  }
  return { routes: [...first.values()].map(({ route }) => route).toSorted(before), problems };
};
