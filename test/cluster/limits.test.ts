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
