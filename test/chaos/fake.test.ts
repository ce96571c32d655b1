/** Ten rounds of kills on fake machines. CLOISTER_CHAOS_ROUNDS sets another number. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodes, pods } from '../../src/api/resources.ts';
import { readFakeMachine, writeFakeMachine } from '../../src/compute/fake/provider.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { nodeOf } from '../../src/core/machine/node.ts';
import { until } from '../../src/host/wait.ts';
import { type ChaosTarget, expectNothingLeft, killInEveryStage } from '../suites/kill-in-every-stage.ts';
import { ensureFargate, podIn, startProduct, type TestProduct } from '../support/product.ts';

const NS = 'chaos';
const ROUNDS = Number(process.env.CLOISTER_CHAOS_ROUNDS ?? 10);

let product: TestProduct;
let target: ChaosTarget;

beforeAll(async () => {
  product = await startProduct();
  await ensureFargate(product.client, NS);
  target = {
    ...product,
    isSeeded: (machine) => readFakeMachine(product.machines, machine)?.seeded === true,
    pod: (name) => podIn(NS, name),
    startLimitMs: 60_000,
  };
}, 120_000);

afterAll(() => product?.stop(), 60_000);

it.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
  'round %i: a controller killed in each stage leaks and loses nothing',
  (round) => killInEveryStage(target, round),
  300_000,
);

it('machines and Nodes without a MicroVM are removed at start, and nothing else', async () => {
  await product.client.create(pods, podIn(NS, 'keeper'));
  await until(
    async () =>
      (await product.client.get(pods, { namespace: NS, name: 'keeper' })).status?.phase === 'Running',
    {
      limitMs: 60_000,
      what: 'pod keeper to run',
    },
  );
  await product.kill();
  const orphan: Machine = {
    name: 'vm-00000000-0000-4000-8000-000000000000',
    pod: { namespace: NS, name: 'lost', uid: '00000000-0000-4000-8000-000000000000' },
    profile: NS,
    size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
    placement: { subnet: 'a', zone: 'local-1a', region: 'local-1', address: '10.0.15.1' },
    securityGroups: [],
    image: 'fake',
  };
  const startedAt = new Date().toISOString();
  writeFakeMachine(product.machines, {
    machine: orphan,
    state: 'running',
    seeded: true,
    capped: false,
    startedAt,
  });
  await product.client.create(nodes, nodeOf(orphan, 'test', startedAt));
  await product.start();
  await until(
    async () =>
      !product.machineNames().includes(orphan.name) &&
      (await product.client.list(nodes)).every(
        ({ metadata }) => metadata.annotations?.['cloister.dev/microvm'] !== orphan.name,
      ),
    { limitMs: 30_000, what: 'the orphans to be removed' },
  );
  await expectNothingLeft(target);
  expect(product.machineNames()).toHaveLength(1);
}, 120_000);
