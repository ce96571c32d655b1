import { describe, expect, it } from 'vitest';
import { sourcesOfIngresses, sourcesOfService } from './sources.ts';

const annotated = (key: string, text: string | undefined): Record<string, string> =>
  text === undefined ? {} : { [key]: text };

const service = (ranges: readonly string[], annotation?: string) => ({
  metadata: {
    ...{ namespace: 'shop', name: 'web' },
    annotations: annotated('service.beta.kubernetes.io/load-balancer-source-ranges', annotation),
  },
  spec: { loadBalancerSourceRanges: [...ranges] },
});

describe('a Service', () => {
  it.each([
    ['nothing', [], undefined, []],
    ['an empty annotation', [], '', []],
    ['ranges', ['10.0.0.0/8', 'fd00::/8'], undefined, ['10.0.0.0/8', 'fd00::/8']],
    ['ranges in spaces, which the API server takes', [' 10.0.0.0/8 '], undefined, ['10.0.0.0/8']],
    ['the annotation', [], '10.0.0.0/8, 192.0.2.0/24', ['10.0.0.0/8', '192.0.2.0/24']],
    ['the field before the annotation', ['10.0.0.0/8'], '192.0.2.0/24', ['10.0.0.0/8']],
  ])('with %s', (_name, ranges, annotation, sources) => {
    expect(sourcesOfService(service(ranges, annotation))).toEqual({ sources, problems: [] });
  });

  it.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '010.0.0.0/8',
    'fe80::1%eth0/64',
    '10.0.0.0/8/8',
    'pl-1',
    '10.0.0.0/x',
  ])('with the range %s lets nobody in by it, and tells', (text) => {
    expect(sourcesOfService(service([], text))).toMatchObject({
      sources: undefined,
      problems: [{ origin: { kind: 'Service', name: 'web' }, message: expect.stringContaining(`"${text}"`) }],
    });
    expect(sourcesOfService(service([], `${text},10.0.0.0/8`)).sources).toEqual(['10.0.0.0/8']);
  });
});

describe('Ingresses of a port', () => {
  const ingress = (name: string, ranges?: string) => ({
    metadata: {
      ...{ namespace: 'shop', name },
      annotations: annotated('alb.ingress.kubernetes.io/inbound-cidrs', ranges),
    },
  });

  it('admit whom the first that says so admits, and tell the others', () => {
    expect(sourcesOfIngresses([ingress('a'), ingress('b')]).sources).toEqual([]);
    expect(
      sourcesOfIngresses([ingress('a'), ingress('b', '10.0.0.0/8'), ingress('c', '0.0.0.0/0')]),
    ).toMatchObject({
      sources: ['10.0.0.0/8'],
      problems: [{ origin: { name: 'c' }, message: expect.stringContaining('Ingress shop/b') }],
    });
  });
});
