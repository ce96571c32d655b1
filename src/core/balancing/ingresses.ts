/** Listeners and pools of the Ingresses that share an address. */
import { ALB_GROUP_ORDER } from './annotations.ts';
import { certificatesOf, namesCertificates, noCertificates, type Secrets } from './certificates.ts';
import type { StoredIngress } from './claims.ts';
import { type ListenPort, listenPorts } from './listeners.ts';
import type { Listener, Problem, Route } from './model.ts';
import { backendsOf, type PoolSpec, poolOfBackend, type Services } from './pools.ts';
import { routesOf } from './routes.ts';
import { sourcesOfIngresses } from './sources.ts';

/** What is behind an address, and what of it cannot be. */
export interface Parts {
  readonly listeners: readonly Listener[];
  readonly specs: readonly PoolSpec[];
  readonly problems: readonly Problem[];
}

/** Where Ingresses' references lead. */
export interface References {
  readonly services: Services;
  readonly secrets: Secrets;
}

const orderOf = ({ metadata }: StoredIngress): number => {
  const order = Number(metadata.annotations?.[ALB_GROUP_ORDER] ?? 0);
  return Number.isInteger(order) ? order : 0;
};

const keyOf = ({ metadata }: StoredIngress): string => `${metadata.namespace}/${metadata.name}`;

/** By their order in the group, then by name, as the original sorts them. */
const inOrder = (ingresses: readonly StoredIngress[]): readonly StoredIngress[] =>
  ingresses.toSorted((a, b) => orderOf(a) - orderOf(b) || (keyOf(a) < keyOf(b) ? -1 : 1));

interface Listening {
  /** Undefined where it cannot be: nobody has a certificate, or nobody may connect. */
  readonly listener: Listener | undefined;
  readonly problems: readonly Problem[];
}

const listenerOf = (
  { port, protocol, ingresses }: ListenPort,
  address: string,
  routes: readonly Route[],
  { redirect, secrets }: { readonly redirect: number | undefined; readonly secrets: Secrets },
): Listening => {
  const { sources, problems: closed } = sourcesOfIngresses(ingresses);
  if (sources === undefined) return { listener: undefined, problems: closed };
  const place = { address, port, sources };
  if (protocol === 'HTTP') {
    const listener: Listener =
      redirect === undefined
        ? { kind: 'http', ...place, routes }
        : { kind: 'redirect', ...place, to: redirect };
    return { listener, problems: closed };
  }
  const all = ingresses.map((ingress) => certificatesOf(ingress, secrets));
  const certificates = all.flatMap((one) => one.certificates);
  const unnamed = ingresses.some(namesCertificates) ? [] : [noCertificates(ingresses[0], port)];
  return {
    listener: certificates.length === 0 ? undefined : { kind: 'https', ...place, routes, certificates },
    problems: [...closed, ...unnamed, ...all.flatMap(({ problems }) => problems)],
  };
};

/** Builds what Ingresses of one address ask for. */
export const partsOfIngresses = (
  ingresses: readonly StoredIngress[],
  address: string,
  { services, secrets }: References,
): Parts => {
  const ordered = inOrder(ingresses);
  const { ports, redirect, problems: wrong } = listenPorts(ordered);
  // Also of an Ingress that listens nowhere: pods may have gates for its pools, and wait for them.
  const outcomes = ordered.flatMap((ingress) =>
    backendsOf(ingress).map((backend) => poolOfBackend(ingress, backend, services)),
  );
  const specs = new Map<string, PoolSpec>();
  for (const { pool } of outcomes) if (pool !== undefined) specs.set(pool.name, pool);
  const problems: Problem[] = [...wrong, ...outcomes.flatMap((one) => one.problems)];
  const listeners = ports.flatMap((one) => {
    const rules = routesOf(
      one.ingresses,
      (ingress, backend) => poolOfBackend(ingress, backend, services).pool?.name,
    );
    const listening = listenerOf(one, address, rules.routes, { redirect, secrets });
    problems.push(...rules.problems, ...listening.problems);
    return listening.listener ?? [];
  });
  return { listeners, specs: [...specs.values()], problems };
};
