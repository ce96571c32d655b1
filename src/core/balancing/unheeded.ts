/** What of the original does nothing here, so that it is told and nobody waits for it. */
import { ALB, ALB_ACTIONS, ALB_CONDITIONS, NLB } from './annotations.ts';
import type { StoredIngress, StoredService } from './claims.ts';
import type { Origin, Problem } from './model.ts';
import { originOf } from './origins.ts';

/** Annotations that are followed, or told of where they are read; without their common beginning. */
const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  [NLB]: [
    ...['type', 'nlb-target-type', 'ssl-cert', 'ssl-ports', 'proxy-protocol', 'target-group-attributes'],
    ...['healthcheck-protocol', 'healthcheck-path', 'healthcheck-port', 'healthcheck-success-codes'],
    ...['healthcheck-interval', 'healthcheck-timeout'],
    ...['healthcheck-healthy-threshold', 'healthcheck-unhealthy-threshold'],
  ],
  [ALB]: [
    ...['target-type', 'listen-ports', 'ssl-redirect', 'inbound-cidrs', 'group.name', 'group.order'],
    ...[
      'certificate-arn',
      'auth-type',
      'mutual-authentication',
      'backend-protocol',
      'target-group-attributes',
    ],
    ...['healthcheck-protocol', 'healthcheck-path', 'healthcheck-port', 'success-codes'],
    ...['healthcheck-interval-seconds', 'healthcheck-timeout-seconds'],
    ...['healthy-threshold-count', 'unhealthy-threshold-count'],
  ],
};

/** Values of others that say what is so anyway. */
const SO_ANYWAY: Readonly<Record<string, string>> = {
  [`${NLB}scheme`]: 'internal',
  [`${NLB}internal`]: 'true',
  [`${NLB}ip-address-type`]: 'ipv4',
  [`${NLB}backend-protocol`]: 'tcp',
  [`${ALB}scheme`]: 'internal',
  [`${ALB}ip-address-type`]: 'ipv4',
  [`${ALB}backend-protocol-version`]: 'HTTP1',
};

/** Why some have no effect; for all others nobody here knows what they ask for, or AWS alone can do it. */
const WHY: Readonly<Record<string, string>> = {
  scheme: "addresses are of the cluster's own network",
  'ip-address-type': 'balancers have IPv4 addresses',
  'security-groups': 'ranges of sources say who may connect',
  'backend-protocol-version': 'pods are spoken to in HTTP/1.1',
  'ssl-policy': 'TLS 1.2 and later are spoken',
  'ssl-negotiation-policy': 'TLS is left to the pods',
  'private-ipv4-addresses': 'an address is chosen by the cluster',
};

const inWords = (prefix: string, key: string): string => {
  const why = WHY[key.slice(prefix.length)];
  return why === undefined ? key : `${key} (${why})`;
};

const isFollowed = (prefix: string, key: string): boolean =>
  FOLLOWED[prefix]?.includes(key.slice(prefix.length)) === true ||
  key.startsWith(ALB_ACTIONS) ||
  key.startsWith(ALB_CONDITIONS);

/** One sentence for all that an object asks in vain; nothing where there is nothing. */
const told = (origin: Origin, what: readonly string[]): readonly Problem[] =>
  what.length === 0
    ? []
    : [
        {
          ...{ origin, harmless: true },
          message: `this has no effect here: ${what.join(', ')}. Everything else of it is served; remove what no other cluster needs`,
        },
      ];

const annotationsIn = ({ metadata }: StoredService | StoredIngress, prefix: string): readonly string[] =>
  Object.entries(metadata.annotations ?? {})
    .filter(([key]) => key.startsWith(prefix) && !isFollowed(prefix, key))
    .filter(([key, text]) => SO_ANYWAY[key]?.toLowerCase() !== text.trim().toLowerCase())
    .map(([key]) => inWords(prefix, key))
    .toSorted();

/** What a Service of type LoadBalancer asks in vain. */
export const unheededOfService = (service: StoredService): readonly Problem[] => {
  const { sessionAffinity, loadBalancerIP } = service.spec ?? {};
  return told(originOf('Service', service), [
    ...(sessionAffinity === 'ClientIP'
      ? ['spec.sessionAffinity (it counts for connections to the cluster IP alone)']
      : []),
    ...(loadBalancerIP ? ['spec.loadBalancerIP (an address is chosen by the cluster)'] : []),
    ...annotationsIn(service, NLB),
  ]);
};

/** What an Ingress asks in vain. */
export const unheededOfIngress = (ingress: StoredIngress): readonly Problem[] =>
  told(originOf('Ingress', ingress), annotationsIn(ingress, ALB));

/** What a Service asks in vain as a backend of Ingresses. */
export const unheededOfBackend = (service: StoredService): readonly Problem[] =>
  told(originOf('Service', service), annotationsIn(service, ALB));
