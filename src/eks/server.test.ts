/** What the server makes of requests before anybody looks at a cluster. */
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EksContext } from './context.ts';
import { eksServer } from './server.ts';

const unasked = (): never => {
  throw new Error('nobody asks the cluster');
};

let server: Awaited<ReturnType<typeof eksServer>>;

beforeAll(async () => {
  const context = {
    cluster: { name: 'c', status: 'ACTIVE' },
    account: { partition: 'aws', region: 'local-1', account: '111122223333' },
    settings: { updates: true, rate: { perSecond: 1e6, burst: 1e6 } },
    log: pino({ level: 'silent' }),
  } as unknown as EksContext;
  server = await eksServer({ context, services: { takeTurn: unasked, wrote: unasked }, anonymous: true });
});

afterAll(() => server.close());

const PROFILES = '/clusters/c/fargate-profiles';
const PROFILE = {
  fargateProfileName: 'p',
  podExecutionRoleArn: 'arn:aws:iam::111122223333:role/pods',
  selectors: [{ namespace: 'n' }],
};

const post = async (url: string, payload: string) => {
  const { statusCode, headers, body } = await server.inject({ method: 'POST', url, payload });
  return { status: statusCode, type: headers['x-amzn-errortype'], message: JSON.parse(body).message };
};

describe('a body', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  it.each([
    ['of a creation', PROFILES, JSON.stringify({ ...PROFILE, clientRequestToken: 't', more: 'DEEP' })],
    ['of an update', `${PROFILES}/p/update`, '{"policy":{"more":"DEEP"}}'],
    ['that is nothing else', PROFILES, '"DEEP"'],
  ])('%s that is nested too deeply is refused before anything goes through it', async (_, url, body) => {
    expect(await post(url, body.replace('"DEEP"', deep))).toEqual({
      status: 400,
      type: 'SerializationException',
      message: 'The body is nested more than 32 levels deep.',
    });
  });

  it.each(['selectors', 'tags'])('has texts by texts, whatever characters they have: %s', async (member) => {
    const map = { 'a\nb': 5 };
    const value = member === 'tags' ? map : [{ namespace: 'n', labels: map }];
    expect(await post(PROFILES, JSON.stringify({ ...PROFILE, [member]: value }))).toMatchObject({
      status: 400,
      type: 'SerializationException',
    });
  });
});

describe('every answer has a request id', () => {
  it.each([
    ['that goes well', 200, '/clusters'],
    ['about an operation that is not served', 404, '/nothing'],
    ['about a broken escape', 400, '/%zz'],
    ['about a name beyond all limits', 400, `/clusters/${'x'.repeat(7000)}`],
  ])('%s', async (_, status, url) => {
    const { statusCode, headers } = await server.inject({ method: 'GET', url });
    expect([statusCode, headers['x-amzn-requestid']]).toEqual([
      status,
      expect.stringMatching(/^[0-9a-f-]{36}$/),
    ]);
  });
});

it('waits for a request for half a minute, and not for ever', () => {
  expect(server.server.requestTimeout).toBe(30_000);
});
