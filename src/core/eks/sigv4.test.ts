import { describe, expect, it } from 'vitest';
import { isRefusal } from './errors.ts';
import { basic, type Claim, claimOf, refuseClaim, type SignedRequest, timeOf } from './sigv4.ts';

const SIGNATURE = 'ab'.repeat(32);
const CREDENTIAL = 'AKIAAAAAAAAAAAAAAAAA/20260102/local-1/eks/aws4_request';
const AUTHORIZATION = `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature=${SIGNATURE}`;

const request = (more: Partial<SignedRequest> = {}): SignedRequest => ({
  method: 'GET',
  path: '/clusters',
  query: {},
  headers: { host: 'h', 'x-amz-date': '20260102T030405Z', authorization: AUTHORIZATION },
  ...more,
});
const QUERY = {
  'X-Amz-Algorithm': ['AWS4-HMAC-SHA256'],
  'X-Amz-Credential': [CREDENTIAL],
  'X-Amz-Date': ['20260102T030405Z'],
  'X-Amz-Expires': ['60'],
  'X-Amz-SignedHeaders': ['host'],
  'X-Amz-Signature': [SIGNATURE],
};
const presigned = (more: Record<string, readonly string[]> = {}): SignedRequest =>
  request({ headers: { host: 'h' }, query: { ...QUERY, ...more } });

describe('claimOf', () => {
  it('reads both forms', () => {
    const claim = {
      accessKeyId: 'AKIAAAAAAAAAAAAAAAAA',
      scope: { date: '20260102', region: 'local-1', service: 'eks' },
      signedAt: '20260102T030405Z',
      signature: SIGNATURE,
    };
    expect(claimOf(request())).toEqual({ ...claim, form: 'header', signedHeaders: ['host', 'x-amz-date'] });
    expect(claimOf(presigned())).toEqual({ ...claim, form: 'query', expiresIn: 60, signedHeaders: ['host'] });
  });

  const headers = (more: Record<string, string>) => request({ headers: { ...request().headers, ...more } });
  it.each<[string, SignedRequest, string]>([
    ['nothing', request({ headers: { host: 'h' } }), 'MissingAuthenticationTokenException'],
    ['another scheme', headers({ authorization: 'Bearer x' }), 'IncompleteSignatureException'],
    [
      'a part twice',
      headers({ authorization: `${AUTHORIZATION}, Signature=${SIGNATURE}` }),
      'IncompleteSignatureException',
    ],
    [
      'no signature',
      headers({ authorization: AUTHORIZATION.replace(/, Signature.*/, '') }),
      'IncompleteSignatureException',
    ],
    [
      'a signature in upper case',
      headers({ authorization: AUTHORIZATION.replace(SIGNATURE, SIGNATURE.toUpperCase()) }),
      'IncompleteSignatureException',
    ],
    [
      'no host among the signed headers',
      headers({ authorization: AUTHORIZATION.replace('host;', '') }),
      'IncompleteSignatureException',
    ],
    [
      'a signed header that is not there',
      headers({ authorization: AUTHORIZATION.replace('host;', 'host;x-no;') }),
      'IncompleteSignatureException',
    ],
    [
      'a header twice',
      headers({ authorization: AUTHORIZATION.replace('host;', 'host;host;') }),
      'IncompleteSignatureException',
    ],
    ['a token that is not signed', headers({ 'x-amz-security-token': 't' }), 'IncompleteSignatureException'],
    ['no such day', headers({ 'x-amz-date': '20260230T000000Z' }), 'IncompleteSignatureException'],
    [
      'another terminator',
      headers({ authorization: AUTHORIZATION.replace('aws4_request', 'aws5_request') }),
      'InvalidSignatureException',
    ],
    ['a parameter twice', presigned({ 'X-Amz-Date': ['a', 'b'] }), 'IncompleteSignatureException'],
    ['more than a week', presigned({ 'X-Amz-Expires': ['604801'] }), 'IncompleteSignatureException'],
    ['no whole number of seconds', presigned({ 'X-Amz-Expires': ['1.5'] }), 'IncompleteSignatureException'],
    ['a parameter in another case', presigned({ 'x-amz-date': ['x'] }), 'IncompleteSignatureException'],
  ])('refuses %s', (_, signed, type) => {
    const claim = claimOf(signed);
    expect(isRefusal(claim) && claim.type).toBe(type);
  });
});

describe('refuseClaim', () => {
  const expected = { region: 'local-1', service: 'eks' };
  const now = Date.parse('2026-01-02T03:04:05Z');
  const claim = (request: SignedRequest): Claim => {
    const read = claimOf(request);
    if (isRefusal(read)) throw new Error(read.message);
    return read;
  };

  it.each([
    [0, true, true],
    [4 * 60_000, true, false],
    [60_000, true, true],
    [61_000, true, false],
    [5 * 60_000 + 1000, false, false],
    [-4 * 60_000, true, true],
    [-5 * 60_000 - 1000, false, false],
  ])('%s ms after it was signed: header %s, query %s', (ms, header, query) => {
    expect(refuseClaim(claim(request()), expected, now + ms) === undefined).toBe(header);
    expect(refuseClaim(claim(presigned()), expected, now + ms) === undefined).toBe(query);
  });

  it('wants one day in scope and time', () => {
    const other = request({
      headers: { ...request().headers, 'x-amz-date': '20260103T000000Z' },
    });
    expect(refuseClaim(claim(other), expected, Date.parse('2026-01-03T00:00:00Z'))?.message).toMatch(
      /^Date in Credential scope/,
    );
  });
});

describe('timeOf', () => {
  it('is the reverse of basic', () => {
    expect(timeOf(basic(1_700_000_000_000))).toBe(1_700_000_000_000);
    for (const text of [
      '',
      '2026-01-02T03:04:05Z',
      '20261302T000000Z',
      '20260102T240000Z',
      '20260102T030460Z',
    ])
      expect(timeOf(text), text).toBeUndefined();
  });
});
