/** Tags of what goes away in the very moment, which no cluster can be brought to: the client is a stand-in. */
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { ApiError } from '../kube/client.ts';
import type { EksContext } from './context.ts';
import { eksServer } from './server.ts';

const PROFILE = { metadata: { name: 'p', uid: 'u' }, spec: { selectors: [{ namespace: 'n' }] } };

it('says of a profile that is deleted while it is tagged that it is not there', async () => {
  const client = {
    get: async () => PROFILE,
    patch: async () => {
      throw new ApiError('PATCH /p', { status: 404, reason: 'NotFound' });
    },
  };
  const context = {
    client,
    account: { partition: 'aws', region: 'local-1', account: '111122223333' },
    cluster: { name: 'c' },
    settings: { updates: true, rate: { perSecond: 1, burst: 1 } },
    log: pino({ level: 'silent' }),
  } as unknown as EksContext;
  const services = { takeTurn: <T>(run: () => Promise<T>) => run(), wrote: () => {} };
  const server = await eksServer({ context, services, anonymous: true });
  const arn = 'arn:aws:eks:local-1:111122223333:fargateprofile/c/p/u';
  const answer = await server.inject({
    method: 'POST',
    url: `/tags/${encodeURIComponent(arn)}`,
    payload: { tags: { a: 'b' } },
  });
  expect([answer.statusCode, answer.headers['x-amzn-errortype']]).toEqual([404, 'NotFoundException']);
  await server.close();
});
