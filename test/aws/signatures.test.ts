/** Signatures: what is accepted, what is not, and thousands of altered requests, none of which may pass. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numbers } from '../support/numbers.ts';
import { call, type Raw, type Signing, send, sign, target } from './raw.ts';
import { CLUSTER, ROLE, startEks, type TestEks } from './support.ts';

let test: TestEks;
const BASE = `/clusters/${CLUSTER}/fargate-profiles`;
const MINUTE = 60_000;

beforeAll(async () => {
  // Altered requests come by the thousand.
  test = await startEks({ rate: { perSecond: 1e6, burst: 1_000_000 } });
}, 120_000);

afterAll(() => test?.stop(), 60_000);

const url = (): string => test.product.eks.http;
const LIST: Raw = { method: 'GET', path: BASE, query: { maxResults: '5' } };
const CREATE: Raw = {
  method: 'POST',
  path: BASE,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    fargateProfileName: 'never',
    podExecutionRoleArn: ROLE,
    selectors: [],
    clientRequestToken: 'a',
  }),
};

const answer = (raw: Raw, signing: Partial<Signing> = {}) => call(url(), raw, { ...test.keys, ...signing });

describe('a signature', () => {
  it.each<[string, Raw]>([
    ['in the header', LIST],
    ['over a body', { ...CREATE, headers: {} }],
    ['with characters that are escaped', { ...LIST, path: `${BASE}/a%20b%2Fc%C3%A9~!*'()` }],
    ['with a plus sign that stands for itself', { ...LIST, query: { nextToken: 'a+b c%20=&' } }],
    [
      'with a parameter twice, out of order',
      { ...LIST, query: { tagKeys: ['b', 'a', 'B'], a: '', '-': '1' } },
    ],
    ['with spaces in a header', { ...LIST, headers: { 'x-note': '  a   b  ' } }],
  ])('%s is believed, header and query form', async (_, raw) => {
    for (const signing of [{}, { presign: 300 }]) {
      const { status, headers, text } = await answer(raw, signing);
      expect([400, 404, 200], text).toContain(status);
      expect(headers['x-amzn-errortype'] ?? 'none').not.toMatch(/Signature|Token/);
    }
  });

  const away = (minutes: number): Date => new Date(Date.now() + minutes * MINUTE);

  it.each<[string, () => Partial<Signing>, string, RegExp]>([
    [
      'of another region',
      () => ({ region: 'eu-west-1' }),
      'InvalidSignatureException',
      /scoped to a valid region, not 'eu-west-1'/,
    ],
    ['of another service', () => ({ service: 'ec2' }), 'InvalidSignatureException', /correct service: 'eks'/],
    [
      'six minutes old',
      () => ({ date: away(-6) }),
      'InvalidSignatureException',
      /^Signature expired: \d{8}T\d{6}Z is now earlier than .* - 5 min\.\)$/,
    ],
    [
      'six minutes early',
      () => ({ date: away(6) }),
      'InvalidSignatureException',
      /^Signature not yet current/,
    ],
    [
      'presigned, and over',
      () => ({ presign: 60, date: away(-2) }),
      'InvalidSignatureException',
      /was valid for 60 s/,
    ],
    [
      'with another secret',
      () => ({ secretAccessKey: 'something-else-something-else' }),
      'InvalidSignatureException',
      /does not match the signature you provided/,
    ],
    [
      'with a session token of nobody',
      () => ({ sessionToken: 'nobody' }),
      'UnrecognizedClientException',
      /invalid/,
    ],
  ])('%s is refused', async (_, signing, type, message) => {
    const { status, headers, json } = await answer(LIST, signing());
    expect([status, headers['x-amzn-errortype']]).toEqual([403, type]);
    expect(json['message']).toMatch(message);
  });

  it('four minutes off is believed, as clocks differ', async () => {
    for (const minutes of [-4, 4]) expect((await answer(LIST, { date: away(minutes) })).status).toBe(200);
  });

  it('is asked for', async () => {
    const { status, headers, json } = await send(url(), { method: 'GET', url: BASE, headers: {} });
    expect([status, headers['x-amzn-errortype'], json]).toEqual([
      403,
      'MissingAuthenticationTokenException',
      { message: 'Missing Authentication Token' },
    ]);
  });

  const altered = async (
    raw: Raw,
    change: (wire: { method: string; url: string; headers: Record<string, string>; body?: string }) => {
      method: string;
      url: string;
      headers: Record<string, string>;
      body?: string;
    },
    signing: Partial<Signing> = {},
  ) => {
    const signed = await sign(url(), raw, { ...test.keys, ...signing });
    return send(
      url(),
      change({
        method: signed.method,
        url: target(signed),
        headers: signed.headers,
        ...(raw.body === undefined ? {} : { body: raw.body }),
      }),
    );
  };
  const header =
    (headers: Record<string, string>) => (wire: Parameters<Parameters<typeof altered>[1]>[0]) => ({
      ...wire,
      headers: { ...wire.headers, ...headers },
    });
  const more = (query: string) => (wire: Parameters<Parameters<typeof altered>[1]>[0]) => ({
    ...wire,
    url: wire.url + (wire.url.includes('?') ? '&' : '?') + query,
  });

  it.each<[string, Raw, Parameters<typeof altered>[1], Partial<Signing>?]>([
    ['another method', LIST, (wire) => ({ ...wire, method: 'DELETE' })],
    ['another path', LIST, (wire) => ({ ...wire, url: wire.url.replace(CLUSTER, 'other') })],
    ['another body', CREATE, (wire) => ({ ...wire, body: `${wire.body} ` })],
    ['no body', CREATE, ({ body: _, ...wire }) => wire],
    ['one more parameter', LIST, more('nextToken=')],
    ['a parameter that objects lose', LIST, more('__proto__=1')],
    ['the parameter that signing leaves out', LIST, more('X-Amz-Signature=x')],
    ['the same in another case', LIST, more('x-amz-signature=x')],
    ['both forms', LIST, header({ authorization: 'AWS4-HMAC-SHA256 x' }), { presign: 60 }],
    ['a header of the protocol that is not signed', LIST, header({ 'x-amz-target': 'x' })],
    ['an unsigned payload', CREATE, header({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })],
    [
      'a path that others shorten',
      LIST,
      (wire) => ({ ...wire, url: wire.url.replace('/clusters', '/x/../clusters') }),
    ],
    [
      'a path with an empty segment',
      LIST,
      (wire) => ({ ...wire, url: wire.url.replace('/clusters', '//clusters') }),
    ],
    ['another escape', LIST, (wire) => ({ ...wire, url: wire.url.replace('/clusters', '/%63lusters') })],
    ['a broken escape', LIST, more('a=%zz')],
    ['an escape that is no UTF-8', LIST, more('a=%ff')],
    [
      'another algorithm',
      LIST,
      (wire) => header({ authorization: (wire.headers['authorization'] ?? '').replace('256', '512') })(wire),
    ],
    [
      'a longer life',
      LIST,
      (wire) => ({ ...wire, url: wire.url.replace('Expires=60', 'Expires=600') }),
      { presign: 60 },
    ],
    ['a parameter twice', LIST, (wire) => more('X-Amz-Expires=600')(wire), { presign: 60 }],
  ])('does not cover %s', async (_, raw, change, signing) => {
    const { status, headers } = await altered(raw, change, signing);
    expect([400, 403], String(headers['x-amzn-errortype'])).toContain(status);
    expect(headers['content-type']).toMatch(/^application\/json/);
  });

  it('states an unsigned payload in vain', async () => {
    const { status, headers } = await answer({
      ...CREATE,
      headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    });
    expect([status, headers['x-amzn-errortype']]).toEqual([403, 'InvalidSignatureException']);
  });
});

describe('bit flips', () => {
  const flip = (text: string, random: () => number): string => {
    const bytes = Buffer.from(text, 'latin1');
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
    return bytes.toString('latin1');
  };
  /** What HTTP clients themselves refuse to send tells nothing about the server. */
  const sendable = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

  const sameTarget = (a: string, b: string): boolean => {
    try {
      return a !== b && decodeURIComponent(a) === decodeURIComponent(b);
    } catch {
      return false; // a broken escape
    }
  };

  it.each<[string, Raw, Partial<Signing>]>([
    ['of a signed header request', LIST, {}],
    ['of a signed body', CREATE, {}],
    ['of a presigned request', LIST, { presign: 300 }],
  ])(
    '%s are never accepted, and never an error of ours',
    async (_, raw, signing) => {
      const random = numbers(42);
      const signed = await sign(url(), raw, { ...test.keys, ...signing });
      const seen = new Map<number, number>();
      for (let i = 0; i < 1500; i++) {
        const wire = {
          method: signed.method,
          url: target(signed),
          headers: { ...signed.headers },
          ...(raw.body === undefined ? {} : { body: raw.body }),
        };
        const parts = [
          'url',
          ...Object.keys(wire.headers).filter((n) => n !== 'host'),
          ...(raw.body ? ['body'] : []),
        ];
        const part = parts[Math.floor(random() * parts.length)] as string;
        if (part === 'url') wire.url = flip(wire.url, random);
        else if (part === 'body') wire.body = flip(wire.body ?? '', random);
        else wire.headers[part] = flip(wire.headers[part] ?? '', random);
        if (sameTarget(wire.url, target(signed))) continue; // %2f and %2F are one escape
        if (!sendable(wire.url) || !wire.url.startsWith('/') || wire.url.includes('#')) continue;
        if (part === 'content-length' || !Object.values(wire.headers).every((v) => /^[\x20-\x7e]*$/.test(v)))
          continue;
        const { status, text } = await send(url(), wire);
        expect([400, 403, 404], `${part} ${wire.url} ${JSON.stringify(wire.headers)} ${text}`).toContain(
          status,
        );
        // The one refusal of a valid request that CREATE gets: it must not be reached by another.
        expect(text, part).not.toContain('requires at least one selector');
        seen.set(status, (seen.get(status) ?? 0) + 1);
      }
      expect((seen.get(403) ?? 0) + (seen.get(400) ?? 0)).toBeGreaterThan(500);
    },
    120_000,
  );
});
