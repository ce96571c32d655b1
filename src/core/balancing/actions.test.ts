import { describe, expect, it } from 'vitest';
import { actionsOf, servicesIn } from './actions.ts';
import { conditionsOf } from './conditions.ts';

const ALB = 'alb.ingress.kubernetes.io/';

const backend = (port: string) => ({ service: { name: 'special', port: { name: port } } });

/** An Ingress with one backend. */
const ingress = (annotations: Record<string, string>, port = 'use-annotation') => ({
  metadata: { namespace: 'shop', name: 'web', annotations },
  spec: { defaultBackend: backend(port) },
});

const onlyAction = (one: ReturnType<typeof ingress>) => {
  const [outcome] = actionsOf(one).values();
  if (outcome === undefined) throw new Error('the Ingress has no backend');
  return outcome;
};

const action = (json: unknown) =>
  onlyAction(ingress({ [`${ALB}actions.special`]: typeof json === 'string' ? json : JSON.stringify(json) }));

const redirect = (config: object) =>
  action({ type: 'redirect', redirectConfig: { statusCode: 'HTTP_301', ...config } });
const respond = (config: object) => action({ type: 'fixed-response', fixedResponseConfig: config });
const forward = (...targetGroups: object[]) => action({ type: 'forward', forwardConfig: { targetGroups } });

describe('an action', () => {
  it('is to send requests to the Service, without an annotation', () => {
    expect(onlyAction(ingress({}, 'web')).action).toEqual({
      kind: 'forward',
      to: [{ backend: backend('web'), share: 1 }],
    });
  });

  it('of a backend without its annotation answers 503, and says what is missing', () => {
    const { action: answer, problem } = onlyAction(ingress({}));
    expect(answer).toMatchObject({ kind: 'respond', status: 503, body: 'Backend action does not exist' });
    expect(problem).toContain(`${ALB}actions.special`);
  });

  it('redirects to where the client is, but for what is said', () => {
    const stays = { kind: 'redirect', status: 301, host: '#{host}', path: '/#{path}', query: '#{query}' };
    expect(redirect({}).action).toEqual({ ...stays, scheme: undefined, port: undefined });
    expect(redirect({ protocol: 'HTTPS', port: '443', statusCode: 'HTTP_302' }).action).toEqual({
      ...{ ...stays, status: 302, scheme: 'https', port: 443 },
    });
    const config = {
      Host: 'www.#{host}',
      Path: '/a%20b/#{path}',
      Query: '',
      Protocol: 'HTTP',
      StatusCode: 'HTTP_301',
    };
    expect(action({ Type: 'redirect', RedirectConfig: config }).action).toMatchObject({
      ...{ host: 'www.#{host}', path: '/a%20b/#{path}', query: '', scheme: 'http' },
    });
  });

  it('answers by itself', () => {
    const config = { statusCode: '200', contentType: 'text/html', messageBody: '<p>\n' };
    expect(respond(config).action).toEqual({
      kind: 'respond',
      status: 200,
      contentType: 'text/html',
      body: '<p>\n',
    });
    expect(respond({ statusCode: '404' }).action).toMatchObject({
      status: 404,
      contentType: 'text/plain',
      body: '',
    });
  });

  it('shares requests out among Services', () => {
    const groups = [
      { serviceName: 'a', servicePort: 80, weight: 20 },
      { serviceName: 'b', servicePort: 'web', weight: 80 },
      { serviceName: 'c', servicePort: '8080' },
    ];
    const services = [
      { service: { name: 'a', port: { number: 80 } } },
      { service: { name: 'b', port: { name: 'web' } } },
      { service: { name: 'c', port: { number: 8080 } } },
    ];
    expect(forward(...groups).action).toEqual({
      kind: 'forward',
      to: services.map((one, index) => ({ backend: one, share: [20, 80, 1][index] })),
    });
    const json = JSON.stringify({ type: 'forward', forwardConfig: { targetGroups: groups } });
    expect(servicesIn(actionsOf(ingress({ [`${ALB}actions.special`]: json })))).toEqual(services);
  });

  it.each([
    ['no JSON', action('{')],
    ['no object', action('[]')],
    ['another type', action({ type: 'authenticate-oidc' })],
    ['no configuration', action({ type: 'redirect' })],
    ['a target group of AWS', forward({ targetGroupARN: 'arn:aws:x' })],
    ['no target group', forward()],
    ['no weight', forward({ serviceName: 'a', servicePort: 80, weight: 0 })],
    ['a host that is none', redirect({ host: 'a b' })],
    ['a path with a quote', redirect({ path: '/"x' })],
    ['a path with a line', redirect({ path: '/x\n' })],
    ['another placeholder', redirect({ path: '/#{cookie}' })],
    ['a relative path', redirect({ path: 'x' })],
    ['a port out of range', redirect({ port: '0' })],
    ['another protocol', redirect({ protocol: 'FTP' })],
    ['another status of a redirect', redirect({ statusCode: 'HTTP_307' })],
    ['another status of an answer', respond({ statusCode: '301' })],
    ['another content type', respond({ statusCode: '200', contentType: 'a b' })],
    ['a body with a zero', respond({ statusCode: '200', messageBody: '\u0000' })],
    ['a body that is too long', respond({ statusCode: '200', messageBody: 'x'.repeat(1025) })],
  ])('with %s answers 503, and tells', (_name, outcome) => {
    expect(outcome.action).toMatchObject({ kind: 'respond', status: 503 });
    expect(outcome.problem).toContain('must be JSON of the types forward');
  });
});

describe('conditions', () => {
  const conditions = (json: unknown) =>
    conditionsOf(ingress({ [`${ALB}conditions.special`]: JSON.stringify(json) }), backend('web'));

  it('are read as the original reads them', () => {
    const all = [
      { field: 'host-header', hostHeaderConfig: { values: ['*.a.example'] } },
      { field: 'path-pattern', pathPatternConfig: { values: ['/x/*'] } },
      { field: 'http-header', httpHeaderConfig: { httpHeaderName: 'X-Kind', values: ['a b*'] } },
      { field: 'http-request-method', httpRequestMethodConfig: { values: ['GET'] } },
      { field: 'query-string', queryStringConfig: { values: [{ key: 'k', value: 'v' }, { value: 'w' }] } },
      { field: 'source-ip', sourceIpConfig: { values: ['10.0.0.0/8'] } },
    ];
    expect(conditions(all)).toEqual({
      spec: {
        hosts: ['*.a.example'],
        paths: ['/x/*'],
        conditions: [
          { kind: 'header', name: 'X-Kind', patterns: ['a b*'] },
          { kind: 'method', methods: ['GET'] },
          { kind: 'query', pairs: [{ key: 'k', value: 'v' }, { value: 'w' }] },
          { kind: 'source', ranges: ['10.0.0.0/8'] },
        ],
      },
      problem: undefined,
    });
  });

  it.each([
    ['no list', {}],
    ['another field', [{ field: 'cookie' }]],
    ['no values', [{ field: 'http-request-method', httpRequestMethodConfig: { values: [] } }]],
    [
      'a header with a bracket',
      [{ field: 'http-header', httpHeaderConfig: { httpHeaderName: 'x)', values: ['a'] } }],
    ],
    ['a range that is none', [{ field: 'source-ip', sourceIpConfig: { values: ['10.0.0.0'] } }]],
    [
      'a pattern that is longer than the original takes',
      [{ field: 'path-pattern', pathPatternConfig: { values: [`/${'?'.repeat(128)}`] } }],
    ],
    ['a line in a value', [{ field: 'path-pattern', pathPatternConfig: { values: ['/x\ny'] } }]],
    [
      'more than HAProxy takes in a line',
      Array.from({ length: 11 }, () => ({
        ...{ field: 'http-request-method', httpRequestMethodConfig: { values: ['GET'] } },
      })),
    ],
  ])('with %s are a problem', (_name, json) => {
    expect(conditions(json)).toMatchObject({
      spec: { conditions: [] },
      problem: expect.stringContaining('must be a JSON list of conditions'),
    });
  });
});
