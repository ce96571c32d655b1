/** The pools that Services and Ingresses ask for, before anybody looks at their pods. */
import type { ServicePort } from 'kubernetes-types/core/v1.js';
import type { IngressBackend } from 'kubernetes-types/networking/v1.js';
import { tenHex } from '../hash.ts';
import {
  ALB_AUTH_TYPE,
  ALB_TARGET_TYPE,
  GATE_PREFIX,
  NLB_SSL_CERT,
  NLB_SSL_PORTS,
  NLB_TARGET_TYPE,
} from './annotations.ts';
import { healthCheck } from './checks.ts';
import { backendTargetType, type StoredIngress, type StoredService, serviceClaim } from './claims.ts';
import type { HealthCheck, Origin, Pool, Problem } from './model.ts';
import { inWords, originOf } from './origins.ts';
import { type Settings, settingsOf } from './settings.ts';

/** A pool by what it is made of: a port of a Service. */
export interface PoolSpec extends Omit<Pool, 'source' | 'targets'> {
  readonly service: StoredService;
  readonly port: ServicePort;
  /** Condition type of the readiness gate that waits for a pod's target in this pool. */
  readonly gate: string;
}

/** A pool, or why there is none. */
export type PoolOutcome = {
  readonly pool: PoolSpec | undefined;
  readonly problems: readonly Problem[];
};

/** Finds a Service by `namespace/name`. */
export type Services = (key: string) => StoredService | undefined;

/** The condition type as the original names it: by the first eight letters and digits of both names, and a hash. */
const gateOf = (pool: string, ...names: readonly string[]): string => {
  const short = names.map((name) => name.replace(/[^a-z0-9]/gi, '').slice(0, 8));
  return `${GATE_PREFIX}k8s-${short.join('-')}-${tenHex(pool)}`;
};

/** What a pool gets besides its Service and port. */
interface Form {
  readonly owner: Origin;
  readonly mode: Pool['mode'];
  readonly check: HealthCheck;
  readonly settings: Settings;
}

const specOf = (service: StoredService, port: ServicePort, form: Form): PoolSpec => {
  const { owner, mode, check, settings } = form;
  const { namespace = '', name = '' } = service.metadata;
  const place = owner.kind === 'Service' ? [] : [name];
  const pool = [owner.kind.toLowerCase(), owner.namespace, owner.name, ...place, port.port].join(':');
  return { name: pool, mode, check, ...settings, service, port, gate: gateOf(pool, namespace, name) };
};

/** Tells that instances are no targets, and what to write instead (spec/fargate.md §6.2). */
const noInstances = (origin: Origin, service: Origin, annotation: string): Problem => ({
  origin,
  message: `${inWords(service)} cannot be balanced with instances as targets: a pod on Fargate has no instance behind it. Set the annotation ${annotation} to "ip"`,
});

/** Whether a port is to speak TLS: all do unless some are named, by name or number. */
const wantsTls = ({ metadata }: StoredService, { name, port }: ServicePort): boolean => {
  const { [NLB_SSL_CERT]: certificate, [NLB_SSL_PORTS]: ports = '*' } = metadata.annotations ?? {};
  const named = ports.split(',').map((word) => word.trim());
  return (
    certificate !== undefined &&
    (named.includes('*') || (name !== undefined && named.includes(name)) || named.includes(`${port}`))
  );
};

const noTls = (owner: Origin, { port }: ServicePort): string =>
  `port ${port} of ${inWords(owner)} is not balanced: the annotation ${NLB_SSL_CERT} names a certificate of ACM, which this cluster has no way to. Let the pods speak TLS and remove the annotation, or use an Ingress with spec.tls[].secretName`;

/** The pools of a Service that claims a balancer, one for each TCP port. */
export const poolsOfService = (service: StoredService): readonly PoolOutcome[] => {
  const owner = originOf('Service', service);
  if (serviceClaim(service) === 'instance')
    return [{ pool: undefined, problems: [noInstances(owner, owner, NLB_TARGET_TYPE)] }];
  const { annotations = {} } = service.metadata;
  const [checked, set] = [healthCheck('Service', annotations), settingsOf('Service', annotations)];
  const form = { owner, mode: 'tcp', check: checked.check, settings: set.settings } as const;
  const problems = [...checked.problems, ...set.problems].map((message) => ({ origin: owner, message }));
  return (service.spec?.ports ?? []).map((port) => {
    const { protocol = 'TCP' } = port;
    if (protocol === 'TCP' && wantsTls(service, port))
      return { pool: undefined, problems: [{ origin: owner, message: noTls(owner, port) }] };
    if (protocol === 'TCP') return { pool: specOf(service, port, form), problems };
    const message = `port ${port.port}/${protocol} of ${inWords(owner)} is not balanced: the balancers of this cluster carry TCP. Remove the port, or put it into a Service of another class`;
    return { pool: undefined, problems: [{ origin: owner, message }] };
  });
};

/** Who has users log in before a backend gets their requests. */
const loginOf = (ingress: StoredIngress, service: StoredService): string =>
  service.metadata.annotations?.[ALB_AUTH_TYPE] ?? ingress.metadata.annotations?.[ALB_AUTH_TYPE] ?? 'none';

/** The pool of a backend of an Ingress; none when its Service or port does not exist or has no pods. */
export const poolOfBackend = (
  ingress: StoredIngress,
  backend: IngressBackend,
  services: Services,
): PoolOutcome => {
  const owner = originOf('Ingress', ingress);
  const none = (message: string): PoolOutcome => ({
    pool: undefined,
    problems: [{ origin: owner, message: `${message}. Requests for it are answered with 503` }],
  });
  const wanted = backend.service;
  if (wanted === undefined) return none('a backend names no Service, and a balancer knows no other backends');
  const key = `${owner.namespace}/${wanted.name}`;
  const service = services(key);
  if (service === undefined) return none(`the backend Service ${key} does not exist: create it`);
  if (service.spec?.type === 'ExternalName')
    return none(`the backend Service ${key} has type ExternalName, which has no pods: name another one`);
  const { name, number } = wanted.port ?? {};
  const port = service.spec?.ports?.find((one) =>
    name === undefined ? one.port === number : one.name === name,
  );
  if (port === undefined)
    return none(`the backend Service ${key} has no port ${name ?? number}: add it, or name one that it has`);
  const login = loginOf(ingress, service);
  if (login !== 'none')
    return none(
      `the annotation ${ALB_AUTH_TYPE} asks for a login by ${login}, which the balancers of this cluster have none of. Let the pods of ${key} ask for it and remove the annotation`,
    );
  if (backendTargetType(ingress, service) === 'instance')
    return {
      pool: undefined,
      problems: [noInstances(owner, originOf('Service', service), ALB_TARGET_TYPE)],
    };
  const annotations = [ingress.metadata.annotations ?? {}, service.metadata.annotations ?? {}];
  const [checked, set] = [healthCheck('Ingress', ...annotations), settingsOf('Ingress', ...annotations)];
  return {
    pool: specOf(service, port, { owner, mode: 'http', check: checked.check, settings: set.settings }),
    problems: [...checked.problems, ...set.problems].map((message) => ({ origin: owner, message })),
  };
};
