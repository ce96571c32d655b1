import { errors } from 'undici';
import { describe, expect, it } from 'vitest';
import {
  apiErrorOf,
  connectionErrorOf,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isNotFound,
  orNone,
} from './errors.ts';

const status = (fields: object): string => JSON.stringify({ kind: 'Status', apiVersion: 'v1', ...fields });

describe('apiErrorOf', () => {
  it('takes reason and message from the Status', () => {
    const text = status({ code: 404, reason: 'NotFound', message: 'pods "a" not found' });
    expect(apiErrorOf('GET /pods/a', 404, text, undefined)).toMatchObject({
      status: 404,
      reason: 'NotFound',
      message: 'GET /pods/a: pods "a" not found',
      retryAfterMs: undefined,
    });
  });

  it.each([
    ['a proxy', 502, '<html>Bad Gateway</html>', 'GET /a: 502 <html>Bad Gateway</html>'],
    ['JSON of another kind', 500, '{"kind":"Pod"}', 'GET /a: 500 {"kind":"Pod"}'],
    ['nobody', 503, '', 'GET /a: 503 '],
  ])('quotes an answer of %s', (_, code, text, message) => {
    expect(apiErrorOf('GET /a', code, text, undefined)).toMatchObject({
      status: code,
      reason: 'Unknown',
      message,
    });
  });

  it.each([
    ['the Status', status({ reason: 'TooManyRequests', details: { retryAfterSeconds: 2 } }), '9', 2_000],
    ['the header', status({ reason: 'TooManyRequests' }), '9', 9_000],
    ['a date, which API servers do not send', status({}), 'Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ])('reads from %s how long to wait', (_, text, header, retryAfterMs) => {
    expect(apiErrorOf('GET /a', 429, text, header).retryAfterMs).toBe(retryAfterMs);
  });
});

it('tells refusals apart by status and reason', () => {
  const of = (code: number, reason: string) => apiErrorOf('GET /a', code, status({ reason }), undefined);
  expect(isNotFound(of(404, 'NotFound'))).toBe(true);
  expect(isNotFound(apiErrorOf('GET /a', 404, '404 page not found', undefined))).toBe(false);
  expect(isConflict(of(409, 'Conflict'))).toBe(true);
  expect(isConflict(of(409, 'AlreadyExists'))).toBe(false);
  expect(isAlreadyExists(of(409, 'AlreadyExists'))).toBe(true);
  expect(isExpired(of(410, 'Gone'))).toBe(true);
  expect(isForbidden(of(403, 'Forbidden'))).toBe(true);
  expect(isForbidden(new Error('Forbidden'))).toBe(false);
});

it.each([
  [new errors.BodyTimeoutError(), 'silent'],
  [new errors.HeadersTimeoutError(), 'late'],
  [new errors.ConnectTimeoutError(), 'late'],
  [new errors.SocketError('other side closed'), 'broken'],
])('says what kept an answer from arriving: %s', (cause, kind) => {
  expect(connectionErrorOf('GET /a', cause)).toMatchObject({ kind, cause });
});

it('takes the time limit of a request for a late answer', async () => {
  const signal = AbortSignal.timeout(1);
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  expect(connectionErrorOf('GET /a', signal.reason).kind).toBe('late');
});

it('gives nothing for a kind that is absent, and every other error', async () => {
  const absent = apiErrorOf('GET /a', 404, '404 page not found', undefined);
  expect(await orNone(Promise.reject(absent))).toEqual([]);
  expect(await orNone(Promise.resolve([1]))).toEqual([1]);
  const other = apiErrorOf('GET /a', 404, status({ reason: 'NotFound' }), undefined);
  await expect(orNone(Promise.reject(other))).rejects.toBe(other);
});
