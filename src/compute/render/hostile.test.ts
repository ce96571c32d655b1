/** Whatever people write into Services and Ingresses, HAProxy's configuration has the lines and words that we meant. */
import { describe, expect, it } from 'vitest';
import { build, type Front } from '../../core/balancing/build.ts';
import type { StoredIngress, StoredService } from '../../core/balancing/claims.ts';
import { proxyConfig, serversOf } from './haproxy.ts';

const HOSTILE = [
  '/x\n    http-request deny',
  '/x\r\nglobal',
  "/x' 'deny",
  '/x" "deny',
  '/x\\',
  "/x\\' deny",
  '/x # deny',
  '/$HOME/${HOME}/%[src]/%{+Q}o',
  '/x } || { always_true',
  '/x; del server a/b',
  '/(',
  '/[z-a]{9,1}+?*',
  '/x\u0000deny',
  ' ',
  '',
  '-',
];

const NLB = 'service.beta.kubernetes.io/aws-load-balancer-';
const ALB = 'alb.ingress.kubernetes.io/';
const NLB_ANNOTATIONS = [
  ...['healthcheck-protocol', 'healthcheck-path', 'healthcheck-port', 'healthcheck-interval'],
  ...['healthcheck-success-codes', 'ssl-ports'],
];
const ALB_ANNOTATIONS = [
  ...['healthcheck-protocol', 'healthcheck-path', 'healthcheck-port', 'success-codes'],
  ...['listen-ports', 'ssl-redirect', 'inbound-cidrs', 'group.name', 'group.order'],
];

const annotated = (prefix: string, names: readonly string[], text: string): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`${prefix}${name}`, text]));

const service = (text: string, ranges: readonly string[], extra: Record<string, string>): StoredService => ({
  metadata: {
    ...{ namespace: 'shop', name: 'web' },
    annotations: {
      [`${NLB}type`]: 'external',
      [`${NLB}nlb-target-type`]: 'ip',
      [`${NLB}healthcheck-protocol`]: 'HTTP',
      'service.beta.kubernetes.io/load-balancer-source-ranges': text,
      ...extra,
    },
  },
  spec: {
    ...{ type: 'LoadBalancer', ports: [{ name: 'web', port: 80 }] },
    loadBalancerSourceRanges: [...ranges],
  },
});

const ingress = (text: string, extra: Record<string, string>): StoredIngress => ({
  metadata: {
    ...{ namespace: 'shop', name: 'front' },
    annotations: { [`${ALB}target-type`]: 'ip', ...extra },
  },
  spec: {
    ingressClassName: 'alb',
    tls: [{ hosts: [text], secretName: 'tls' }],
    rules: ['x.example', text].flatMap((host) =>
      ['Exact', 'Prefix', 'ImplementationSpecific'].map((pathType) => ({
        host,
        http: {
          paths: [{ pathType, path: text, backend: { service: { name: 'web', port: { number: 80 } } } }],
        },
      })),
    ),
  },
});

/** Every text that a JSON annotation has, each in an annotation of its own, so that no other keeps it out. */
const inJson = (text: string): Record<string, string> => {
  const values = [text, `/a${text}`, `a${text}`];
  const redirects = ['host', 'path', 'query', 'port', 'protocol'].map((key) => ({ [key]: text }));
  const actions = [
    ...[...redirects, { path: `/${text}` }, { query: `a${text}` }].map((config) => ({
      ...{ type: 'redirect', redirectConfig: { statusCode: 'HTTP_301', ...config } },
    })),
    ...['statusCode', 'contentType', 'messageBody'].map((key) => ({
      ...{ type: 'fixed-response', fixedResponseConfig: { statusCode: '200', [key]: text } },
    })),
    { type: 'forward', forwardConfig: { targetGroups: [{ serviceName: text, servicePort: text }] } },
  ];
  const conditions = values.flatMap((value) => [
    { field: 'host-header', hostHeaderConfig: { values: [value] } },
    { field: 'path-pattern', pathPatternConfig: { values: [value] } },
    { field: 'http-header', httpHeaderConfig: { httpHeaderName: 'x', values: [value] } },
    { field: 'http-header', httpHeaderConfig: { httpHeaderName: value, values: ['x'] } },
    { field: 'http-request-method', httpRequestMethodConfig: { values: [value] } },
    { field: 'query-string', queryStringConfig: { values: [{ key: value, value: 'x' }, { value: 'y' }] } },
    { field: 'query-string', queryStringConfig: { values: [{ key: 'x', value }] } },
    { field: 'source-ip', sourceIpConfig: { values: [value] } },
  ]);
  return Object.fromEntries([
    ...actions.map((one, index) => [`${ALB}actions.action${index}`, JSON.stringify(one)]),
    ...conditions.map((one, index) => [`${ALB}conditions.web${index}`, JSON.stringify([one])]),
  ]);
};

/** An Ingress with a rule for each of its annotations of that kind. */
const annotatedRules = (text: string): StoredIngress => {
  const one = ingress(text, inJson(text));
  const names = Object.keys(one.metadata.annotations ?? {}).map((key) => key.split('.').at(-1) ?? '');
  const rules = names.map((name) => {
    const port = name.startsWith('action') ? { name: 'use-annotation' } : { number: 80 };
    const path = { path: '/', pathType: 'Prefix', backend: { service: { name, port } } };
    return { host: `${name}.example`, http: { paths: [path] } };
  });
  return { ...one, spec: { ...one.spec, rules } };
};

/** The words of a line as HAProxy takes it apart (Configuration Manual 2.2); undefined when a quote stays open. */
const words = (line: string): readonly string[] | undefined => {
  const found: string[] = [];
  const part = /\s+|#.*$|((?:[^\s'"\\#]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)/gy;
  while (part.lastIndex < line.length) {
    const match = part.exec(line);
    if (match === null) return undefined;
    if (match[1] !== undefined) found.push(match[1]);
  }
  return found;
};

const DIRECTIVES = new Set([
  ...[
    'global',
    'description',
    'stats',
    'server-state-file',
    'chroot',
    'user',
    'group',
    'hard-stop-after',
    'mworker-max-reloads',
    'log',
  ],
  ...['ssl-default-bind-options', 'defaults', 'load-server-state-from-file', 'timeout', 'retries', 'option'],
  ...[
    'backend',
    'frontend',
    'mode',
    'bind',
    'http-request',
    'acl',
    'tcp-request',
    'default_backend',
    'source',
  ],
  ...['use_backend', 'balance', 'http-check', 'retry-on', 'server'],
]);

const FILES = { socket: '/s', jail: '/j', states: '/t', certificates: '/c' };

/** HAProxy's configuration for a Service and an Ingress. */
const configOf = (web: StoredService, front: StoredIngress): string => {
  const services = (key: string) => (key.startsWith('shop/web') ? web : undefined);
  const fronts: readonly Front[] = [
    { kind: 'Service', address: '10.42.2.4', service: web },
    { kind: 'Ingress', address: '10.42.2.5', ingresses: [front] },
  ];
  const pods = { waiting: new Map<string, string[]>(), ending: new Set<string>() };
  const built = build(fronts, { services, secrets: () => undefined, slices: () => [], pods });
  return proxyConfig(built, FILES, serversOf);
};

describe.each(HOSTILE)('%j', (text) => {
  it.each([
    ['in fields', service(text, [], {}), ingress(text, {})],
    ['in ranges', service('', [text, '10.0.0.0/8'], {}), ingress(text, {})],
    [
      'in annotations',
      service('', [], annotated(NLB, NLB_ANNOTATIONS, text)),
      ingress(text, annotated(ALB, ALB_ANNOTATIONS, text)),
    ],
    ['in JSON', service('', [], {}), annotatedRules(text)],
  ])('%s is one word or none', (_where, web, front) => {
    for (const line of configOf(web, front).split('\n')) {
      const [first, ...rest] = words(line) ?? [`open quote in ${line}`];
      expect([...DIRECTIVES, undefined]).toContain(first);
      expect(rest).not.toContain('deny');
      expect(rest).not.toContain("''");
      expect(rest).not.toContain('always_true');
    }
  });
});
