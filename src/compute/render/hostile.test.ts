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
  const services = (key: string) => (key === 'shop/web' ? web : undefined);
  const fronts: readonly Front[] = [
    { kind: 'Service', address: '10.42.2.4', service: web },
    { kind: 'Ingress', address: '10.42.2.5', ingresses: [front] },
  ];
  const pods = { waiting: new Set<string>(), ending: new Set<string>() };
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
