import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { describe, expect, it } from 'vitest';
import { type Built, build, type Front } from './build.ts';
import type { StoredIngress, StoredService } from './claims.ts';
import type { Action } from './model.ts';

const AWS = 'service.beta.kubernetes.io/aws-load-balancer-';
const ALB = 'alb.ingress.kubernetes.io/';
const IP = { [`${AWS}type`]: 'external', [`${AWS}nlb-target-type`]: 'ip' };

const service = (name: string, extra: Partial<StoredService> = {}): StoredService => ({
  metadata: { namespace: 'shop', name, annotations: IP },
  spec: { type: 'LoadBalancer', ports: [{ name: 'web', port: 80 }] },
  ...extra,
});

type Path = readonly [pathType: string, path: string, backend: string, host?: string];

const ingress = (
  name: string,
  paths: readonly Path[],
  annotations: Record<string, string> = {},
  spec: StoredIngress['spec'] = {},
): StoredIngress => ({
  metadata: { namespace: 'shop', name, annotations: { [`${ALB}target-type`]: 'ip', ...annotations } },
  spec: {
    ingressClassName: 'alb',
    rules: paths.map(([pathType, path, backend, host]) => ({
      ...(host === undefined ? {} : { host }),
      http: { paths: [{ pathType, path, backend: to(backend) }] },
    })),
    ...spec,
  },
});

const to = (text: string) => {
  const [name = '', port = 'web'] = text.split(':');
  return { service: { name, port: /^\d+$/.test(port) ? { number: Number(port) } : { name: port } } };
};

const slice = (port: number, endpoints: EndpointSlice['endpoints'], extra = {}): EndpointSlice => ({
  addressType: 'IPv4',
  ports: [{ name: 'web', port }],
  endpoints,
  ...extra,
});

/** Names of pods that are not only what their slices say. */
interface Named {
  readonly waiting?: Readonly<Record<string, readonly string[]>>;
  readonly ending?: readonly string[];
}

const built = (
  one:
    | Omit<Extract<Front, { kind: 'Service' }>, 'address'>
    | Omit<Extract<Front, { kind: 'Ingress' }>, 'address'>,
  services: readonly StoredService[] = [],
  slices: readonly EndpointSlice[] = [],
  { waiting = {}, ending = [] }: Named = {},
): Built =>
  build([{ ...one, address: '10.42.2.4' } as Front], {
    services: (key) => services.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
    secrets: () => undefined,
    slices: () => slices,
    pods: { waiting: new Map(Object.entries(waiting)), ending: new Set(ending) },
  });

const targets = (slices: readonly EndpointSlice[], named: Named = {}): readonly string[] =>
  (built({ kind: 'Service', service: service('web') }, [], slices, named).pools[0]?.targets ?? []).map(
    ({ address, port }) => `${address}:${port}`,
  );

const endpoint = (address: string, conditions: object = {}, pod = 'p') => ({
  addresses: [address],
  conditions,
  targetRef: { kind: 'Pod', namespace: 'shop', name: pod },
});

describe('targets', () => {
  it.each([
    ['a ready pod', { ready: true }, true],
    ['a pod of which nothing is said', {}, true],
    ['a pod that is not ready', { ready: false }, false],
    ['a pod that ends', { ready: false, serving: true, terminating: true }, false],
    ['a pod that ends and is published anyway', { ready: true, terminating: true }, false],
  ])('%s', (_name, conditions, is) => {
    expect(targets([slice(8080, [endpoint('10.0.0.1', conditions)])])).toEqual(is ? ['10.0.0.1:8080'] : []);
  });

  it('a pod that waits for its gate is one, unless it ends', () => {
    const [gate = ''] = built({ kind: 'Service', service: service('web') }).gates.keys();
    const waits = (conditions: object) =>
      targets([slice(8080, [endpoint('10.0.0.1', conditions)])], { waiting: { 'shop/p': [gate] } });
    expect(waits({ ready: false })).toEqual(['10.0.0.1:8080']);
    expect(waits({ ready: false, terminating: true })).toEqual([]);
  });

  it('a pod that waits for the gate of another pool is none', () => {
    const slices = [slice(8080, [endpoint('10.0.0.1', { ready: false })])];
    expect(targets(slices, { waiting: { 'shop/p': ['target-health.elbv2.k8s.aws/other'] } })).toEqual([]);
  });

  it('a pod that is being deleted is none, also while its slice still calls it ready', () => {
    const both = [endpoint('10.0.0.1', { ready: true }, 'p'), endpoint('10.0.0.2', { ready: true }, 'q')];
    expect(targets([slice(8080, both)], { ending: ['shop/p'] })).toEqual(['10.0.0.2:8080']);
  });

  it('come from all slices, each once, at the port that the slice has for the name', () => {
    expect(
      targets([
        slice(8080, [endpoint('10.0.0.2'), endpoint('10.0.0.1')]),
        slice(9090, [endpoint('10.0.0.3')]),
        slice(8080, [endpoint('10.0.0.1'), endpoint('010.0.0.5'), { ...endpoint(''), addresses: [] }]),
        slice(8080, [endpoint('fd00::1')], { addressType: 'IPv6' }),
        slice(8080, [endpoint('10.0.0.4')], { ports: [{ name: 'metrics', port: 9 }] }),
      ]),
    ).toEqual(['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:9090']);
  });
});

describe('a Service', () => {
  it('listens on its ports for the sources that it allows', () => {
    const spec = {
      ports: [
        { name: 'web', port: 80 },
        { name: 'tls', port: 443 },
      ],
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
    };
    expect(built({ kind: 'Service', service: service('web', { spec }) }).listeners).toEqual(
      [80, 443].map((port) => ({
        kind: 'tcp',
        address: '10.42.2.4',
        port,
        sources: ['10.0.0.0/8'],
        pool: `service:shop:web:${port}`,
      })),
    );
  });

  it('has a problem with ports that are not TCP', () => {
    const spec = { type: 'LoadBalancer', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] };
    const { listeners, problems } = built({ kind: 'Service', service: service('dns', { spec }) });
    expect(listeners).toEqual([]);
    expect(problems.map(({ message }) => message)).toEqual([
      'port 53/UDP of Service shop/dns is not balanced: the balancers of this cluster carry TCP. Remove the port, or put it into a Service of another class',
    ]);
  });

  it.each([
    [{}, [80, 443], []],
    [{ 'ssl-cert': 'arn:aws:acm:x' }, [], [80, 443]],
    [{ 'ssl-cert': 'arn:aws:acm:x', 'ssl-ports': 'tls, 8443' }, [80], [443]],
    [{ 'ssl-cert': 'arn:aws:acm:x', 'ssl-ports': '80' }, [443], [80]],
  ])('sends nothing in the clear where a certificate of ACM is asked for: %j', (asked, served, told) => {
    const annotations = Object.fromEntries(
      Object.entries(asked).map(([name, text]) => [`${AWS}${name}`, text]),
    );
    const ports = [
      { name: 'web', port: 80 },
      { name: 'tls', port: 443 },
    ];
    const { listeners, problems } = built({
      kind: 'Service',
      service: service('web', {
        metadata: { namespace: 'shop', name: 'web', annotations: { ...IP, ...annotations } },
        spec: { type: 'LoadBalancer', ports },
      }),
    });
    expect(listeners.map(({ port }) => port)).toEqual(served);
    expect(problems.map(({ message }) => message)).toEqual(
      told.map((port) => expect.stringContaining(`port ${port} of Service shop/web is not balanced`)),
    );
  });

  it('is checked as its annotations say, and told of those that make no sense, once', () => {
    const annotations = {
      ...IP,
      [`${AWS}healthcheck-protocol`]: 'HTTP',
      [`${AWS}healthcheck-path`]: '/healthz',
      [`${AWS}healthcheck-port`]: '9000',
      [`${AWS}healthcheck-interval`]: '1',
      [`${AWS}healthcheck-success-codes`]: '200, 204-299',
    };
    const metadata = { namespace: 'shop', name: 'web', annotations };
    const { pools, problems } = built({ kind: 'Service', service: service('web', { metadata }) });
    expect(pools[0]?.check).toEqual({
      protocol: 'http',
      path: '/healthz',
      port: 9000,
      successCodes: '200,204-299',
      intervalSeconds: 10,
      timeoutSeconds: 10,
      healthyThreshold: 3,
      unhealthyThreshold: 3,
    });
    expect(problems.map(({ message }) => message)).toEqual([
      `the annotation ${AWS}healthcheck-interval is "1" and must be a whole number from 5 to 300`,
    ]);
  });

  it('is not served when nobody may connect', () => {
    const spec = { ...service('web').spec, loadBalancerSourceRanges: ['10.0.0.0'] };
    const { listeners, problems } = built({ kind: 'Service', service: service('web', { spec }) });
    expect([listeners, problems.length]).toEqual([[], 1]);
  });

  it.each([
    ['200-399,404', '200-399,404', 0],
    ['399-200', '200-399', 1],
    ['600', '200-399', 1],
  ])('with the success codes %s is checked for %s', (text, codes, count) => {
    const annotations = { ...IP, [`${AWS}healthcheck-success-codes`]: text };
    const metadata = { namespace: 'shop', name: 'web', annotations };
    const { pools, problems } = built({ kind: 'Service', service: service('web', { metadata }) });
    expect([pools[0]?.check.successCodes, problems.length]).toEqual([codes, count]);
  });

  it('with a path that is no path of a health check keeps the default', () => {
    const annotations = { ...IP, [`${AWS}healthcheck-path`]: "/x' \n    http-request deny" };
    const metadata = { namespace: 'shop', name: 'web', annotations };
    const { pools, problems } = built({ kind: 'Service', service: service('web', { metadata }) });
    expect([pools[0]?.check.path, problems.length]).toEqual(['/', 1]);
  });
});

const inShort = (action: Action): string => {
  if (action.kind === 'respond') return `${action.status}`;
  if (action.kind === 'redirect') return `${action.scheme}:${action.port}`;
  return action.to
    .map(({ pool, share }) => `${pool?.split(':')[3]}${share === 1 ? '' : `*${share}`}`)
    .join('+');
};

/** Rules as `host kind path action`, and what becomes of all other requests. */
const routes = (one: Built): readonly string[] =>
  one.listeners.flatMap((listener) =>
    listener.kind === 'http'
      ? [
          ...listener.routes.map(({ hosts: [host], paths: [path], action }) =>
            [host?.host ?? '*', path ? `${path.kind} ${path.path}` : 'all', inShort(action)].join(' '),
          ),
          `otherwise ${inShort(listener.otherwise)}`,
        ]
      : [],
  );

describe('an Ingress', () => {
  const services = ['a', 'b', 'c'].map((name) => service(name));

  it('asks exact hosts first, then wildcards; exact paths, then long prefixes, then patterns', () => {
    const one = ingress(
      'web',
      [
        ['ImplementationSpecific', '/img/*', 'a', 'x.example'],
        ['Prefix', '/', 'a', 'x.example'],
        ['Prefix', '/long/', 'b', 'x.example'],
        ['Exact', '/long', 'c', 'x.example'],
        ['Prefix', '/', 'c'],
        ['Prefix', '/', 'b', '*.example'],
      ],
      {},
      { defaultBackend: to('a') },
    );
    expect(routes(built({ kind: 'Ingress', ingresses: [one] }, services))).toEqual([
      'x.example exact /long c',
      'x.example prefix /long b',
      'x.example prefix / a',
      'x.example pattern /img/* a',
      '*.example prefix / b',
      '* prefix / c',
      'otherwise a',
    ]);
  });

  it('has its default backend asked last, and answers 404 without one', () => {
    const one = ingress('web', [['ImplementationSpecific', '/img/*', 'b']], {}, { defaultBackend: to('a') });
    const both = built(
      { kind: 'Ingress', ingresses: [one, { ...one, metadata: { ...one.metadata, name: 'x' } }] },
      services,
    );
    expect(routes(both)).toEqual(['* pattern /img/* b', 'otherwise a']);
    expect(both.problems.map(({ origin, message }) => `${origin.name}: ${message.split(':')[0]}`)).toEqual([
      'x: spec.defaultBackend does not count',
      'x: the rule for */img/* does not count',
    ]);
    expect(routes(built({ kind: 'Ingress', ingresses: [ingress('web', [])] }, services))).toEqual([
      'otherwise 404',
    ]);
  });

  it('of a lower order has all its rules asked before the others of its group', () => {
    const first = ingress('z', [['Prefix', '/', 'a']], { [`${ALB}group.order`]: '-5' });
    const then = ingress('b', [['Exact', '/long', 'b']]);
    expect(routes(built({ kind: 'Ingress', ingresses: [then, first] }, services))).toEqual([
      '* prefix / a',
      '* exact /long b',
      'otherwise 404',
    ]);
  });

  it.each([
    ['names no Service', ingress('web', [], {}, { defaultBackend: {} }), 'a backend names no Service'],
    [
      'does not exist',
      ingress('web', [['Prefix', '/', 'gone']]),
      'Service shop/gone does not exist: create it',
    ],
    ['has no such port', ingress('web', [['Prefix', '/', 'a:8443']]), 'Service shop/a has no port 8443'],
    [
      'has instances as targets',
      ingress('web', [['Prefix', '/', 'a']], { [`${ALB}target-type`]: 'instance' }),
      'Set the annotation alb.ingress.kubernetes.io/target-type to "ip"',
    ],
    [
      'asks for a login',
      ingress('web', [['Prefix', '/', 'a']], { [`${ALB}auth-type`]: 'oidc' }),
      'auth-type asks for a login by oidc',
    ],
  ])('answers 503 for a backend that %s, and tells', (_name, one, text) => {
    const { problems, listeners, pools } = built({ kind: 'Ingress', ingresses: [one] }, services);
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining(text)]);
    expect(routes({ problems, listeners } as Built).at(-1)).toMatch(/^otherwise (404|undefined)$/);
    expect(pools).toEqual([]);
  });

  it.each([
    [undefined, [80], 0],
    ['[{"HTTP": 8080}, {"HTTP": 80}]', [8080, 80], 0],
    ['[{"HTTP": 80}, {"HTTPS": 443}]', [80], 1],
    ['[{"HTTP": 80}, {"GRPC": 443}]', [], 1],
    ['80', [], 1],
    ['[{"HTTP": 0}]', [], 1],
    ['[]', [], 1],
    ['no JSON', [], 1],
  ])('with listen-ports %s', (text, ports, problems) => {
    const annotations: Record<string, string> = text === undefined ? {} : { [`${ALB}listen-ports`]: text };
    const one = built({ kind: 'Ingress', ingresses: [ingress('web', [], annotations)] }, services);
    expect(one.listeners.map(({ port }) => port)).toEqual(ports);
    expect(one.problems.length).toBe(problems);
  });

  it.each([undefined, ''])('takes every path where none is written: %j', (path) => {
    const spec = {
      rules: [{ http: { paths: [{ pathType: 'ImplementationSpecific', path, backend: to('a') }] } }],
    };
    const one = ingress('web', [], {}, spec as StoredIngress['spec']);
    expect(routes(built({ kind: 'Ingress', ingresses: [one] }, services))).toEqual([
      '* all a',
      'otherwise 404',
    ]);
  });

  it('admits the sources that its annotation names', () => {
    const sources = (text: string) =>
      built(
        { kind: 'Ingress', ingresses: [ingress('web', [], { [`${ALB}inbound-cidrs`]: text })] },
        services,
      ).listeners.map((one) => one.sources);
    expect(sources('10.0.0.0/8,192.0.2.0/24')).toEqual([['10.0.0.0/8', '192.0.2.0/24']]);
    expect(sources('everybody')).toEqual([]);
  });

  it('has the pools of its pods also where it listens nowhere: their gates wait for them', () => {
    const one = ingress('web', [['Prefix', '/', 'a']], { [`${ALB}listen-ports`]: 'none' });
    const { listeners, pools, gates } = built({ kind: 'Ingress', ingresses: [one] }, services);
    expect([listeners, pools.map(({ name }) => name)]).toEqual([[], ['ingress:shop:web:a:80']]);
    expect([...gates.values()]).toEqual(['ingress:shop:web:a:80']);
  });

  it('reads what its backends do once, however many there are of a name, and on however many ports', () => {
    const to404 = '{"type":"fixed-response","fixedResponseConfig":{"statusCode":"404"}}';
    const rules = ['/a', '/b'].map((path): Path => ['Prefix', path, 'none:use-annotation']);
    const one = ingress('web', rules, { [`${ALB}listen-ports`]: '[{"HTTP": 80}, {"HTTP": 8080}]' });
    let reads = 0;
    const counted = Object.defineProperty(one.metadata.annotations ?? {}, `${ALB}actions.none`, {
      get: () => {
        reads += 1;
        return to404;
      },
    });
    const all = built({
      kind: 'Ingress',
      ingresses: [{ ...one, metadata: { ...one.metadata, annotations: counted } }],
    });
    const port = ['* prefix /a 404', '* prefix /b 404', 'otherwise 404'];
    expect([routes(all), reads]).toEqual([[...port, ...port], 1]);
  });

  it('leaves out a pattern that is longer than the original takes: each letter costs every request time', () => {
    const longest = `/${'?'.repeat(127)}`;
    const one = ingress('web', [
      ['ImplementationSpecific', longest, 'a'],
      ['ImplementationSpecific', `${longest}*`, 'b'],
      ['Prefix', `${longest}/long`, 'c'],
    ]);
    const { problems, ...rest } = built({ kind: 'Ingress', ingresses: [one] }, services);
    expect(routes({ problems, ...rest })).toEqual([
      `* prefix ${longest}/long c`,
      `* pattern ${longest} a`,
      'otherwise 404',
    ]);
    expect(problems.map(({ message }) => message)).toEqual([
      `the rule for *${longest}* does not count: its pattern has more than 128 characters. Shorten it`,
    ]);
  });

  it('leaves out a path with control characters', () => {
    const one = ingress('web', [['ImplementationSpecific', '/a\n    use_backend b', 'a']]);
    const { listeners, problems } = built({ kind: 'Ingress', ingresses: [one] }, services);
    expect(listeners).toMatchObject([{ routes: [] }]);
    expect(problems.length).toBe(1);
  });

  it('in a group comes by its order, then by its name; the first has a host and path', () => {
    const member = (name: string, order: string, backend: string) =>
      ingress(name, [['Prefix', '/', backend]], { [`${ALB}group.order`]: order });
    const ingresses = [member('a', '2', 'a'), member('c', '1', 'c'), member('b', '1', 'b')];
    const one = built({ kind: 'Ingress', ingresses }, services);
    expect(routes(one)).toEqual(['* prefix / b', 'otherwise 404']);
    expect(one.problems.map(({ origin, message }) => `${origin.name}: ${message.split(',')[0]}`)).toEqual([
      'c: the rule for */ does not count: Ingress shop/b has one for the same host and path',
      'a: the rule for */ does not count: Ingress shop/b has one for the same host and path',
    ]);
  });
});
