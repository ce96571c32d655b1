/** The limits of an account: vCPU of all pods together, and launches per second (spec/fargate.md §11.3, §11.4). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { microVMs, pods } from '../../src/api/resources.ts';
import { until } from '../../src/host/wait.ts';
import { ensureFargate, podIn, startProduct, type TestProduct, untilPhase } from '../support/product.ts';

const NS = 'limited';
/** The smallest size is a quarter of a vCPU. */
const VCPUS = 0.75;
const PER_SECOND = 0.5;

let product: TestProduct;

beforeAll(async () => {
  const limits = { vcpuQuota: VCPUS, launchRate: { perSecond: PER_SECOND, burst: 1 } };
  product = await startProduct({ limits });
  await ensureFargate(product.client, NS);
}, 120_000);

afterAll(() => product?.stop(), 60_000);

it('launch no faster than the rate, and no more than the quota until there is room', async () => {
  const { client } = product;
  const names = ['a', 'b', 'c', 'd'];
  await Promise.all(names.map((name) => client.create(pods, podIn(NS, name))));
  const refused = await until(
    async () =>
      (await client.list(pods, { namespace: NS })).find(({ status }) =>
        status?.conditions?.some(({ type, message }) => type === 'PodScheduled' && message !== undefined),
      ),
    { limitMs: 60_000, what: 'one pod to be told that it is one too many' },
  );
  const left = refused.metadata.name ?? '';
  const running = names.filter((name) => name !== left);
  for (const name of running) await untilPhase(client, NS, name, 'Running');
  expect(refused.status?.conditions?.map(({ message }) => message)).toEqual([
    'Your AWS account has reached the limit on the number of Fargate pods it can run concurrently',
  ]);

  const launched = (await client.list(microVMs)).map(({ metadata }) =>
    Date.parse(String(metadata.creationTimestamp)),
  );
  const [first = 0, second = 0, third = 0] = launched.toSorted((a, b) => a - b);
  expect(launched).toHaveLength(running.length);
  // The API server writes the times of creation in whole seconds.
  for (const gap of [second - first, third - second]) expect(gap).toBeGreaterThanOrEqual(500 / PER_SECOND);

  await client.delete(pods, { namespace: NS, name: running[0] ?? '' });
  await untilPhase(client, NS, left, 'Running');
}, 120_000);

it('launch nothing while the account is blocked, and what waits as soon as it is not', async () => {
  const { client } = product;
  const restart = async (accountBlocked: boolean): Promise<void> => {
    await product.kill();
    product.limit({ accountBlocked });
    await product.start();
  };
  await restart(true);
  await client.create(pods, podIn(NS, 'blocked'));
  const waits = await until(
    async () => {
      const { metadata, status } = await client.get(pods, { namespace: NS, name: 'blocked' });
      const told = status?.conditions?.find(({ type }) => type === 'PodScheduled');
      return told?.message === undefined ? undefined : { uid: metadata.uid, message: told.message };
    },
    { limitMs: 60_000, what: 'the pod to be told' },
  );
  expect(waits.message).toBe('Your AWS account is currently blocked and thus cannot launch any Fargate pods');
  const running = (await client.list(microVMs)).map(({ metadata }) => metadata.name);
  await restart(false);
  const started = await untilPhase(client, NS, 'blocked', 'Running');
  expect(started.metadata.uid).toBe(waits.uid);
  expect((await client.list(microVMs)).map(({ metadata }) => metadata.name)).toEqual(
    expect.arrayContaining(running), // those that ran went on
  );
}, 120_000);
