/** Parts of the API that need no cluster. */
import { describe, expect, it } from 'vitest';
import type { ErrorType } from '../core/eks/errors.ts';
import { ApiError, ConnectionError } from '../kube/client.ts';
import { refusalOf } from './failures.ts';
import { sessionsOf } from './sessions.ts';
import { parseTarget } from './sigv4.ts';
import { BusyError } from './turn.ts';
import { xml } from './xml.ts';

describe('parseTarget', () => {
  it.each<[string, string, Record<string, readonly string[]>]>([
    ['/', '/', {}],
    ['/a?x=1&y=2&x=3', '/a', { x: ['1', '3'], y: ['2'] }],
    ['/a%2Fb?x%20y=a+b%2B&z', '/a%2Fb', { 'x y': ['a+b+'], z: [''] }],
    ['/a?&&x=1=2&', '/a', { x: ['1=2'] }],
    ['/a?constructor=1', '/a', { constructor: ['1'] }],
  ])('%s', (url, path, query) => {
    const target = parseTarget(url);
    expect(target?.path).toBe(path);
    expect({ ...target?.query }).toEqual(query);
  });

  it.each(['/a/../b', '/./a', '/a/..', '//a', '/a//b', 'a', '/%zz', '/a?%ff', '/a?__proto__=1', '/a?=1'])(
    '%s can be read in more than one way, or in none',
    (url) => {
      expect(parseTarget(url)).toBeUndefined();
    },
  );
});

describe('sessions', () => {
  const session = { role: 'r', session: 's', subject: 'system:serviceaccount:n:a', until: 1 };

  it('are known by their token and key together', () => {
    const sessions = sessionsOf(Buffer.alloc(32, 1));
    const { accessKeyId, secretAccessKey, sessionToken } = sessions.open(session);
    expect(accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(sessions.find(accessKeyId, sessionToken)).toEqual({
      id: accessKeyId,
      ...session,
      secretAccessKey,
    });
    expect(sessions.find(sessions.open(session).accessKeyId, sessionToken)).toBeUndefined();
    expect(sessionsOf(Buffer.alloc(32, 2)).find(accessKeyId, sessionToken)).toBeUndefined();
  });

  it('are not known by any altered token', () => {
    const sessions = sessionsOf(Buffer.alloc(32, 1));
    const { accessKeyId, sessionToken } = sessions.open(session);
    const bytes = Buffer.from(sessionToken, 'base64');
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] as number) ^ 1;
      expect(sessions.find(accessKeyId, altered.toString('base64'))).toBeUndefined();
    }
    for (const odd of ['', 'x', `${sessionToken} `, sessionToken.slice(0, 20)])
      expect(sessions.find(accessKeyId, odd)).toBeUndefined();
  });
});

describe('refusalOf', () => {
  const answered = (status: number, reason = 'Unknown') =>
    new ApiError('GET /a: inner words', { status, reason });
  it.each<[string, unknown, ErrorType]>([
    ['a change by somebody else', answered(409, 'Conflict'), 'ResourceInUseException'],
    ['a rule of the cluster', answered(422, 'Invalid'), 'InvalidRequestException'],
    ['a policy of the cluster', answered(403, 'Forbidden'), 'InvalidRequestException'],
    ['an API server that has too much to do', answered(429), 'ServiceUnavailableException'],
    ['an API server with troubles of its own', answered(500), 'ServiceUnavailableException'],
    [
      'an API server that is away',
      new ConnectionError('broken', 'inner words'),
      'ServiceUnavailableException',
    ],
    ['a replica that holds the turn', new BusyError('x'), 'ServiceUnavailableException'],
    ['an object that should be there', answered(404, 'NotFound'), 'ServerException'],
    ['a bug', new TypeError('inner words'), 'ServerException'],
    ['what is no error', 'inner words', 'ServerException'],
  ])('%s', (_, error, type) => {
    const refusal = refusalOf(error);
    expect(refusal.type).toBe(type);
    // Only what a rule of the cluster says is for the caller.
    expect(refusal.message.includes('inner words')).toBe(type === 'InvalidRequestException');
  });
});

describe('xml', () => {
  it('escapes text, keeps order and leaves out what is not there', () => {
    expect(xml('R', 'urn:x', { B: { C: `<&>"'\u0000` }, A: '1', N: undefined })).toBe(
      '<R xmlns="urn:x"><B><C>&lt;&amp;&gt;&quot;&apos;\ufffd</C></B><A>1</A></R>',
    );
  });
});
