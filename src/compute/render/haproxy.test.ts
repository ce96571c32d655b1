import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type {
  Action,
  Balancing,
  Certificate,
  HealthCheck,
  PathMatch,
  Pool,
  Route,
} from '../../core/balancing/model.ts';
import {
  addCommand,
  certificateFiles,
  markOf,
  type ProxyServer,
  parseServerStates,
  proxyConfig,
  returnCommand,
  serversOf,
  statesFor,
} from './haproxy.ts';
import { routeLines } from './haproxy-routes.ts';

const tcp: HealthCheck = {
  protocol: 'tcp',
  path: '/',
  successCodes: '200-399',
  port: undefined,
  intervalSeconds: 10,
  timeoutSeconds: 10,
  healthyThreshold: 3,
  unhealthyThreshold: 3,
};
const http: HealthCheck = { ...tcp, protocol: 'http', path: "/it's?well", successCodes: '200', port: 9000 };

const pool = (name: string, mode: Pool['mode'], check: HealthCheck): Pool => ({
  ...{ name, mode, check, source: mode === 'tcp' ? '10.42.2.4' : '10.42.2.5' },
  ...{ tls: false, proxyProtocol: false, drainSeconds: 300 },
  targets: [
    { address: '10.42.64.7', port: 8080 },
    { address: '10.42.80.9', port: 8080 },
  ],
});

const SITE = 'ingress:shop:front:site:80';
const API = 'ingress:shop:front:api:80';

const certificate = (name: string, pem: string, hosts: readonly string[] = []): Certificate => ({
  ...{ name, pem, hosts, secret: `shop/${name}` },
  origin: { kind: 'Ingress', namespace: 'shop', name: 'tls' },
});

const forward = (name: string | undefined): Action => ({ kind: 'forward', to: [{ pool: name, share: 1 }] });

const redirect = (port: number): Action => ({
  ...{ kind: 'redirect', status: 301, scheme: 'https', host: '#{host}', port },
  ...{ path: '/#{path}', query: '#{query}' },
});

const NOTHING: Action = { kind: 'respond', status: 404, contentType: 'text/plain', body: '' };

const route = (name: string | undefined, host: string | undefined, path: PathMatch): Route => ({
  hosts: host === undefined ? [] : [{ kind: host.startsWith('*.') ? 'label' : 'exact', host }],
  ...{ paths: [path], conditions: [], action: forward(name) },
});

const balancing: Balancing = {
  listeners: [
    { kind: 'tcp', address: '10.42.2.4', port: 443, sources: ['10.0.0.0/8'], pool: 'service:shop:web:443' },
    {
      ...{ kind: 'http', address: '10.42.2.5', port: 80, sources: [] },
      routes: [
        route(undefined, 'shop.example', { kind: 'exact', path: '/gone' }),
        route(API, 'Shop.example', { kind: 'prefix', path: '/api' }),
        route(API, '*.shop.example', { kind: 'prefix', path: '/' }),
        route(API, undefined, { kind: 'pattern', path: "/a.b/*/?'" }),
        {
          hosts: [
            { kind: 'exact', host: 'a.example' },
            { kind: 'pattern', host: '*.b.example' },
          ],
          paths: [],
          conditions: [
            { kind: 'header', name: 'X-Kind', patterns: ['a*', "it's b"] },
            { kind: 'method', methods: ['GET', 'HEAD'] },
            { kind: 'query', pairs: [{ key: 'k', value: 'v?' }, { value: 'w' }] },
            { kind: 'source', ranges: ['10.0.0.0/8', 'fd00::/8'] },
          ],
          action: {
            kind: 'forward',
            to: [
              { pool: SITE, share: 20 },
              { pool: API, share: 0 },
              { pool: undefined, share: 10 },
              { pool: API, share: 70 },
            ],
          },
        },
        {
          ...{ hosts: [], paths: [{ kind: 'exact', path: '/body' }], conditions: [] },
          action: { kind: 'respond', status: 200, contentType: 'text/html', body: 'it\'s\n100% $HOME\\"' },
        },
        {
          ...{ hosts: [], paths: [{ kind: 'exact', path: '/away' }], conditions: [] },
          action: {
            ...{ kind: 'redirect', status: 302, scheme: 'https', host: 'www.#{host}', port: 8443 },
            ...{ path: '/new%20/#{path}', query: 'a=b&#{query}' },
          },
        },
      ],
      otherwise: forward(SITE),
    },
    { ...{ kind: 'http', address: '10.42.2.5', port: 8080, sources: [] }, routes: [], otherwise: NOTHING },
    {
      ...{ kind: 'http', address: '10.42.2.6', port: 80, sources: [] },
      routes: [],
      otherwise: redirect(443),
    },
    {
      ...{ kind: 'http', address: '10.42.2.6', port: 8080, sources: [] },
      routes: [],
      otherwise: redirect(8443),
    },
    {
      ...{ kind: 'https', address: '10.42.2.6', port: 443, sources: [] },
      ...{ routes: [], otherwise: forward(SITE) },
      certificates: [certificate('a', 'A', ['a.example', '*.a.example']), certificate('b', 'B')],
    },
  ],
  pools: [pool('service:shop:web:443', 'tcp', tcp), pool(SITE, 'http', http), pool(API, 'http', http)],
};

const FILES = {
  socket: '/s/commands.sock',
  jail: '/s/jail',
  states: '/s/states',
  certificates: '/s/certificates',
};

describe('the configuration', () => {
  it('is the golden one, with the servers that the worker knows', async () => {
    const text = proxyConfig(balancing, FILES, (one) =>
      one.name === SITE ? serversOf(one).slice(0, 2) : [],
    );
    await expect(text).toMatchFileSnapshot(join(import.meta.dirname, 'golden/haproxy.cfg'));
  });

  it('has the same mark whatever the targets are, and another one for anything else', () => {
    const changed = (change: (one: Pool) => Pool) => ({ ...balancing, pools: balancing.pools.map(change) });
    expect(markOf(changed((one) => ({ ...one, targets: [] })))).toBe(markOf(balancing));
    expect(markOf(changed((one) => ({ ...one, drainSeconds: 1 })))).toBe(markOf(balancing));
    const check = {
      intervalSeconds: 7,
      healthyThreshold: 7,
      unhealthyThreshold: 7,
      timeoutSeconds: 7,
      port: 7,
    };
    const changes: readonly Partial<Pool>[] = [
      ...Object.entries(check).map(([key, value]) => ({ check: { ...http, [key]: value } })),
      ...[{ check: tcp }, { tls: true }, { proxyProtocol: true }],
    ];
    const marks = changes.map((change) => markOf(changed((one) => ({ ...one, check: http, ...change }))));
    expect(new Set([...marks, markOf(changed((one) => ({ ...one, check: http })))]).size).toBe(
      marks.length + 1,
    );
  });
});

describe('certificates', () => {
  it('stand in files of their own, and in a list for each listener', () => {
    expect(certificateFiles(balancing, '/c')).toEqual([
      { path: '/c/10.42.2.6-443.list', content: '/c/a.pem a.example *.a.example\n/c/b.pem\n' },
      { path: '/c/a.pem', content: 'A' },
      { path: '/c/b.pem', content: 'B' },
    ]);
  });

  it('belong to the mark with what is in them', () => {
    const renewed = balancing.listeners.map((one) =>
      one.kind === 'https' ? { ...one, certificates: [certificate('a', 'C'), certificate('b', 'B')] } : one,
    );
    expect(markOf({ ...balancing, listeners: renewed })).not.toBe(markOf(balancing));
  });
});

describe('a command', () => {
  const web = pool('service:shop:web:443', 'tcp', tcp);

  const [checked, spare] = serversOf(web) as [ProxyServer, ProxyServer];

  it('adds a server that is checked, which has no weight before it is down', () => {
    expect(addCommand(web, checked).split('; ')).toEqual([
      'add server service:shop:web:443/10.42.64.7:8080 10.42.64.7:8080 check port 8080 inter 10s fastinter 1s downinter 1s rise 3 fall 3 weight 0',
      'enable server service:shop:web:443/10.42.64.7:8080',
      'set server service:shop:web:443/10.42.64.7:8080 health down',
      'enable health service:shop:web:443/10.42.64.7:8080',
      'set server service:shop:web:443/10.42.64.7:8080 weight 1',
    ]);
  });

  it('adds a server that is spoken to by TLS, or is told the client', () => {
    const options = (change: Partial<Pool>) =>
      serversOf(web)
        .slice(0, 2)
        .map((server) => addCommand({ ...web, ...change }, server).split(/ 10.42.64.7:8080 |; /)[1]);
    expect(options({ tls: true })).toEqual([
      expect.stringMatching(/^ssl verify none check port /),
      'ssl verify none backup',
    ]);
    expect(options({ proxyProtocol: true })).toEqual([
      expect.stringMatching(/^send-proxy-v2 check port 8080 check-send-proxy /),
      'send-proxy-v2 backup',
    ]);
    const check = { ...http, protocol: 'https' } as const;
    expect(options({ check })[0]).toMatch(/^check port 9000 check-ssl verify none inter /);
  });

  it('adds the spare of the same target, which is for when none is healthy', () => {
    expect(addCommand(web, spare).split('; ')).toEqual([
      'add server service:shop:web:443/10.42.64.7:8080:spare 10.42.64.7:8080 backup',
      'enable server service:shop:web:443/10.42.64.7:8080:spare',
    ]);
  });

  it('takes servers back in the same way', () => {
    expect(returnCommand(web, checked).split('; ').slice(0, 3)).toEqual([
      'set server service:shop:web:443/10.42.64.7:8080 weight 0',
      'set server service:shop:web:443/10.42.64.7:8080 state ready',
      'set server service:shop:web:443/10.42.64.7:8080 health down',
    ]);
    expect(returnCommand(web, spare)).toBe(
      'set server service:shop:web:443/10.42.64.7:8080:spare state ready',
    );
  });
});

it('reads what a worker tells of its targets', () => {
  const answer = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change
3 service:shop:web:443 1 10.42.64.7:8080 10.42.64.7 2 0 1 1 12
3 service:shop:web:443 2 10.42.64.8:8080 10.42.64.8 0 0 1 1 3
3 service:shop:web:443 3 10.42.64.9:8080 10.42.64.9 0 1 1 1 301

`;
  const common = { pool: 'service:shop:web:443' };
  expect(parseServerStates(answer)).toEqual([
    { ...common, server: '10.42.64.7:8080', healthy: true, draining: false, sinceSeconds: 12 },
    { ...common, server: '10.42.64.8:8080', healthy: false, draining: false, sinceSeconds: 3 },
    { ...common, server: '10.42.64.9:8080', healthy: false, draining: true, sinceSeconds: 301 },
  ]);
});

it('matches a pattern of many stars without going back, so that it holds nobody up', () => {
  const stars = route(API, undefined, { kind: 'pattern', path: '/a*b?**c*d' });
  const lines = routeLines({ routes: [stars], otherwise: forward(SITE) });
  expect(lines[0]).toBe("    acl path0 path -m reg -- '^/a(?>.*?b.)(?>.*?c).*d$'");
});

it('hands over states with TLS and the port of checks as the pools have them now', () => {
  const names =
    '# be_id be_name srv_id srv_name srv_op_state srv_port srv_use_ssl srv_check_port srv_agent_port';
  const states = (ssl: string, port: string) =>
    [
      ...['1', names, `3 ${SITE} 1 10.42.64.7:8080 2 8080 ${ssl} ${port} 0`],
      ...[`3 ${SITE} 2 10.42.64.7:8080:spare 2 8080 ${ssl} 0 0`, '4 gone 1 10.42.64.9:80 0 80 0 80 0', ''],
    ].join('\n');
  const site = pool(SITE, 'http', http);
  expect(statesFor(states('0', '8080'), [{ ...site, tls: true }])).toBe(states('1', '9000'));
  expect(statesFor(states('1', '9000'), [{ ...site, check: tcp }])).toBe(states('0', '8080'));
});

it('knows no targets where a worker has none', () => {
  expect(parseServerStates('1\n# be_id be_name\n\n')).toEqual([]);
});
