import { beforeAll, describe, expect, it } from 'vitest';
import { makeServing } from '../../../test/support/pki.ts';
import { type Built, build } from './build.ts';
import { refusal, type Secrets, withoutCertificates } from './certificates.ts';
import type { StoredIngress } from './claims.ts';
import type { Listener } from './model.ts';

const ALB = 'alb.ingress.kubernetes.io/';
const BOTH = { 'listen-ports': '[{"HTTP": 80}, {"HTTPS": 443}]' };
const ARN = { 'certificate-arn': 'arn:aws:acm:eu-west-1:111122223333:certificate/x' };

type Tls = NonNullable<NonNullable<StoredIngress['spec']>['tls']>;

const ingress = (
  tls: Tls,
  annotations: Readonly<Record<string, string>> = {},
  name = 'web',
): StoredIngress => ({
  metadata: {
    namespace: 'shop',
    name,
    annotations: Object.fromEntries(Object.entries(annotations).map(([key, text]) => [`${ALB}${key}`, text])),
  },
  spec: { ingressClassName: 'alb', tls },
});

const secret = (name: string, certificate: string, key: string): ReturnType<Secrets> => ({
  metadata: { namespace: 'shop', name },
  type: 'kubernetes.io/tls',
  data: { 'tls.crt': btoa(certificate), 'tls.key': btoa(key) },
});

const known = new Map<string, ReturnType<Secrets>>();

beforeAll(async () => {
  const [one, two] = await Promise.all([makeServing(['shop.example']), makeServing(['two.example'])]);
  for (const found of [
    secret('shop', one.certificate, one.key),
    secret('two', two.certificate, two.key),
    secret('swapped', one.certificate, two.key),
    secret('empty', '', ''),
    secret('keyless', one.certificate, 'no key'),
  ])
    known.set(`shop/${found?.metadata.name}`, found);
});

const built = (...ingresses: readonly StoredIngress[]): Built =>
  build([{ kind: 'Ingress', address: '10.42.2.4', ingresses }], {
    services: () => undefined,
    secrets: (key) => known.get(key),
    slices: () => [],
    pods: { waiting: new Map(), ending: new Set() },
  });

/** `https:443 shop.shop.*(shop.example)`: a listener with its certificates and their hosts. */
const inShort = (listener: Listener): string => {
  const place = `${listener.kind}:${listener.port}`;
  if (listener.kind !== 'tcp' && listener.otherwise.kind === 'redirect')
    return `redirect:${listener.port} to ${listener.otherwise.port}`;
  if (listener.kind !== 'https') return place;
  const shown = listener.certificates.map(
    ({ name, hosts }) => `${name.replace(/[0-9a-f]{10}$/, '*')}(${hosts.join(',')})`,
  );
  return `${place} ${shown.join(' ')}`;
};

const listeners = (one: Built): readonly string[] => one.listeners.map(inShort);
const messages = (one: Built): readonly string[] => one.problems.map(({ message }) => message);

const SHOP = { hosts: ['shop.example'], secretName: 'shop' };

describe('an Ingress that names a Secret', () => {
  it('shows it for names of hosts alone, so that no line of a list is what somebody else wrote', () => {
    const hosts = ['shop.example', '*.a.example', 'x\n/etc/key.pem', 'a b', '!c'];
    const one = built(ingress([{ ...SHOP, hosts }]));
    expect(listeners(one)).toEqual(['https:443 shop.shop.*(shop.example,*.a.example)']);
    expect(messages(one)).toEqual([
      expect.stringContaining('spec.tls[].hosts has ["x\\n/etc/key.pem","a b","!c"]'),
    ]);
    expect(listeners(built(ingress([{ ...SHOP, hosts: ['a b'] }])))).toEqual([]);
  });

  it('listens on 443 alone, unless it says on which ports', () => {
    expect(listeners(built(ingress([SHOP])))).toEqual(['https:443 shop.shop.*(shop.example)']);
    expect(listeners(built(ingress([SHOP], BOTH)))).toEqual([
      'http:80',
      'https:443 shop.shop.*(shop.example)',
    ]);
    expect(messages(built(ingress([SHOP], BOTH)))).toEqual([]);
  });

  it('shows a certificate for the hosts of its entry, or else for those that stand in it', () => {
    expect(listeners(built(ingress([SHOP, { secretName: 'two' }])))).toEqual([
      'https:443 shop.shop.*(shop.example) shop.two.*()',
    ]);
  });

  it.each([
    ['gone', 'Secret shop/gone gives no TLS for a.example: there is none of type kubernetes.io/tls'],
    ['swapped', 'the key in tls.key is not that of the certificate'],
    ['empty', 'tls.crt holds no certificate in PEM'],
    ['keyless', 'tls.key holds no private key in PEM'],
  ])('that is %s tells so once, and the other hosts serve', (secretName, text) => {
    const one = built(ingress([{ hosts: ['a.example'], secretName }, SHOP], BOTH));
    expect(listeners(one)).toEqual(['http:80', 'https:443 shop.shop.*(shop.example)']);
    expect(messages(one)).toEqual([expect.stringContaining(text)]);
    expect(listeners(built(ingress([{ secretName }])))).toEqual([]);
  });

  it('sends clients of HTTP to HTTPS when it says so, also those of its group', () => {
    const redirecting = ingress([SHOP], { ...BOTH, 'ssl-redirect': '443' }, 'a');
    const other = ingress([], { 'listen-ports': '[{"HTTP": 8080}]' }, 'b');
    expect(listeners(built(redirecting, other))).toEqual([
      'redirect:80 to 443',
      'https:443 shop.shop.*(shop.example)',
      'redirect:8080 to 443',
    ]);
  });

  it('sends them nowhere else when its certificate cannot be had', () => {
    const one = built(ingress([{ secretName: 'gone' }], { ...BOTH, 'ssl-redirect': '443' }));
    expect(listeners(one)).toEqual(['redirect:80 to 443']);
  });
});

describe('an Ingress without a Secret', () => {
  it.each([
    [ARN, [], 'names a certificate of ACM'],
    [{ ...ARN, ...BOTH }, ['http:80'], 'names a certificate of ACM'],
    [BOTH, ['http:80'], 'no certificate is named'],
    [{ 'ssl-redirect': '443' }, ['http:80'], 'ssl-redirect is "443" and must be a port with HTTPS'],
  ])('with %j', (annotations, served, text) => {
    const one = built(ingress([{ hosts: ['shop.example'] }], annotations));
    expect(listeners(one)).toEqual(served);
    expect(messages(one)).toEqual([expect.stringContaining(text)]);
  });

  it('has those of its group', () => {
    const one = built(ingress([SHOP], BOTH, 'a'), ingress([], BOTH, 'b'));
    expect([listeners(one)[1], messages(one)]).toEqual(['https:443 shop.shop.*(shop.example)', []]);
  });

  it('keeps its hands off the port of another protocol in its group', () => {
    const plain = ingress([], { 'listen-ports': '[{"HTTP": 443}]' }, 'b');
    const one = built(ingress([SHOP], {}, 'a'), plain);
    expect(listeners(one)).toEqual(['https:443 shop.shop.*(shop.example)']);
    expect(messages(one)).toEqual([
      'HTTP on port 443 does not count: Ingress shop/a has HTTPS there. Choose another port',
    ]);
  });
});

it('a certificate that the balancer refuses takes only itself away', () => {
  const one = built(ingress([SHOP, { secretName: 'two' }], BOTH));
  const all = one.listeners.flatMap((listener) => (listener.kind === 'https' ? listener.certificates : []));
  expect(withoutCertificates(one, all.slice(0, 1)).listeners.map(inShort)).toEqual([
    'http:80',
    'https:443 shop.two.*()',
  ]);
  expect(withoutCertificates(one, all).listeners.map(inShort)).toEqual(['http:80']);
  expect(all.map((certificate) => refusal(certificate).message)).toEqual([
    expect.stringContaining('Secret shop/shop gives no TLS for shop.example: HAProxy refuses'),
    expect.stringContaining('Secret shop/two gives no TLS: HAProxy refuses'),
  ]);
});

it('another content has another name', () => {
  const nameOf = () =>
    (built(ingress([SHOP])).listeners[0] as Extract<Listener, { kind: 'https' }>).certificates[0]?.name;
  const before = nameOf();
  known.set('shop/shop', known.get('shop/two'));
  expect(nameOf()).not.toBe(before);
});
