/** Listeners and pools of the Ingresses that share an address. */
import { type Actions, actionsOf, NOWHERE, servicesIn, stayingRedirect } from './actions.ts';
import {
  asksForClientCertificates,
  certificatesOf,
  namesCertificates,
  noCertificates,
  noClientCertificates,
  type Secrets,
} from './certificates.ts';
import type { StoredIngress } from './claims.ts';
import { groupProblems, inOrder } from './groups.ts';
import { type ListenPort, listenPorts } from './listeners.ts';
import type { Action, Listener, Problem, Routes } from './model.ts';
import { originOf } from './origins.ts';
import { type PoolSpec, poolOfBackend, type Services } from './pools.ts';
import { type Resolve, routesOf } from './routes.ts';
import { sourcesOfIngresses } from './sources.ts';
import { unheededOfBackend, unheededOfIngress } from './unheeded.ts';

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

interface Listening {
  /** Undefined where it cannot be: nobody has a certificate, or nobody may connect. */
  readonly listener: Listener | undefined;
  readonly problems: readonly Problem[];
}

const listenerOf = (
  { port, protocol, ingresses }: ListenPort,
  address: string,
  { routes, otherwise }: Routes,
  secrets: Secrets,
): Listening => {
  const { sources, problems: closed } = sourcesOfIngresses(ingresses);
  if (sources === undefined) return { listener: undefined, problems: closed };
  const common = { address, port, sources, routes, otherwise };
  if (protocol === 'HTTP') return { listener: { kind: 'http', ...common }, problems: closed };
  const guarded = ingresses.find(asksForClientCertificates);
  if (guarded !== undefined)
    return { listener: undefined, problems: [...closed, noClientCertificates(guarded, port)] };
  const all = ingresses.map((ingress) => certificatesOf(ingress, secrets));
  const certificates = all.flatMap((one) => one.certificates);
  const unnamed = ingresses.some(namesCertificates) ? [] : [noCertificates(ingresses[0], port)];
  return {
    listener: certificates.length === 0 ? undefined : { kind: 'https', ...common, certificates },
    problems: [...closed, ...unnamed, ...all.flatMap(({ problems }) => problems)],
  };
};

/** With a redirect to HTTPS, a port with HTTP has no other rule. */
const redirecting = (port: number): Routes => ({
  routes: [],
  otherwise: { ...stayingRedirect(301), scheme: 'https', port },
});

/** What the backends of all Ingresses do, read once for all ports. */
type ActionsByIngress = ReadonlyMap<StoredIngress, Actions>;

const resolver =
  (actions: ActionsByIngress, services: Services, { port, protocol }: ListenPort): Resolve =>
  (ingress, backend): Action => {
    const action = actions.get(ingress)?.get(backend)?.action ?? NOWHERE;
    switch (action.kind) {
      case 'respond':
        return action;
      case 'redirect': {
        const scheme = protocol === 'HTTP' ? 'http' : 'https';
        return { ...action, scheme: action.scheme ?? scheme, port: action.port ?? port };
      }
      case 'forward': {
        const poolOf = (one: typeof backend) => poolOfBackend(ingress, one, services).pool?.name;
        const to = action.to.map((one) => ({ pool: poolOf(one.backend), share: one.share }));
        return { kind: 'forward', to };
      }
    }
  };

const actionProblems = ([ingress, actions]: readonly [StoredIngress, Actions]): readonly Problem[] =>
  [...actions.values()].flatMap(({ problem }) => {
    const origin = originOf('Ingress', ingress);
    return problem === undefined
      ? []
      : [{ origin, message: `${problem}. Requests for it are answered with 503` }];
  });

/** Builds what Ingresses of one address ask for. */
export const partsOfIngresses = (
  ingresses: readonly StoredIngress[],
  address: string,
  { services, secrets }: References,
): Parts => {
  const ordered = inOrder(ingresses);
  const { ports, redirect, problems: wrong } = listenPorts(ordered);
  const actions: ActionsByIngress = new Map(ordered.map((ingress) => [ingress, actionsOf(ingress)]));
  // Also of an Ingress that listens nowhere: pods may have gates for its pools, and wait for them.
  const outcomes = [...actions].flatMap(([ingress, own]) =>
    servicesIn(own).map((backend) => poolOfBackend(ingress, backend, services)),
  );
  const specs = new Map<string, PoolSpec>();
  for (const { pool } of outcomes) if (pool !== undefined) specs.set(pool.name, pool);
  const listenings = ports.map((one): Listening => {
    const { problems, ...rules } = routesOf(one.ingresses, resolver(actions, services, one));
    const redirects = redirect !== undefined && one.protocol === 'HTTP';
    const listening = listenerOf(one, address, redirects ? redirecting(redirect) : rules, secrets);
    return { ...listening, problems: [...problems, ...listening.problems] };
  });
  return {
    listeners: listenings.flatMap(({ listener }) => listener ?? []),
    specs: [...specs.values()],
    problems: [
      ...wrong,
      ...ordered.flatMap(groupProblems),
      ...ordered.flatMap(unheededOfIngress),
      ...[...specs.values()].flatMap(({ service }) => unheededOfBackend(service)),
      ...[...actions].flatMap(actionProblems),
      ...outcomes.flatMap(({ problems }) => problems),
      ...listenings.flatMap(({ problems }) => problems),
    ],
  };
};
