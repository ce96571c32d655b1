import { describe, expect, it } from 'vitest';
import { settingsOf } from './settings.ts';

const ALB = 'alb.ingress.kubernetes.io/';
const NLB = 'service.beta.kubernetes.io/aws-load-balancer-';
const DEFAULTS = { tls: false, proxyProtocol: false, drainSeconds: 300 };
const DELAY = 'deregistration_delay.timeout_seconds';

const annotated = (prefix: string, text: string) => ({ [`${prefix}target-group-attributes`]: text });

describe('attributes of targets', () => {
  it.each([
    [undefined, {}],
    ['', {}],
    [`${DELAY}=30`, { drainSeconds: 30 }],
    [` ${DELAY} = 0 , stickiness.enabled=false,`, { drainSeconds: 0 }],
    ['proxy_protocol_v2.enabled=true', { proxyProtocol: true }],
    ['preserve_client_ip.enabled=false,proxy_protocol_v2.enabled=false', {}],
  ])('%s', (text, settings) => {
    const annotations: Record<string, string> = text === undefined ? {} : annotated(NLB, text);
    expect(settingsOf('Service', annotations)).toEqual({
      settings: { ...DEFAULTS, ...settings },
      problems: [],
    });
  });

  it.each([
    [`${DELAY}=3601`, 'must be seconds from 0 to 3600'],
    [`${DELAY}=soon`, 'must be seconds from 0 to 3600'],
    ['stickiness.enabled=true', 'has no effect here'],
    ['preserve_client_ip.enabled=true', 'has no effect here'],
    ['nonsense', 'has no effect here'],
  ])('tell of %s', (text, told) => {
    expect(settingsOf('Service', annotated(NLB, text))).toEqual({
      settings: DEFAULTS,
      problems: [expect.stringContaining(told)],
    });
  });

  it('of a Service count before those of the Ingress', () => {
    const sources = [annotated(ALB, `${DELAY}=1`), annotated(ALB, `${DELAY}=2`)];
    expect(settingsOf('Ingress', ...sources).settings.drainSeconds).toBe(2);
  });
});

it.each([
  ['HTTPS', true, 0],
  ['HTTP', false, 0],
  ['https', false, 1],
])('speaks %s to the pods of an Ingress: TLS %s', (text, tls, count) => {
  const { settings, problems } = settingsOf('Ingress', { [`${ALB}backend-protocol`]: text });
  expect([settings.tls, problems.length]).toEqual([tls, count]);
});

it.each([
  ['*', true, 0],
  ['v2', false, 1],
])('with proxy-protocol %s tells pods the client: %s', (text, proxyProtocol, count) => {
  const { settings, problems } = settingsOf('Service', { [`${NLB}proxy-protocol`]: text });
  expect([settings.proxyProtocol, problems.length]).toEqual([proxyProtocol, count]);
});
