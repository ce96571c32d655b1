/**
 * No address is given twice, and none is lost. CLOISTER_SOAK_CYCLES sets another number of pods, such as 10000;
 * CLOISTER_SOAK_SEED repeats a run.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fargateProfiles, subnets } from '../../src/api/resources.ts';
import { API_VERSION } from '../../src/core/names.ts';
import { until } from '../../src/host/wait.ts';
import { soakAddresses } from '../suites/address-soak.ts';
import { ensureFargate, startProduct, type TestProduct } from '../support/product.ts';

const NS = 'soak';
const CYCLES = Number(process.env.CLOISTER_SOAK_CYCLES ?? 300);
const SEED = Number(process.env.CLOISTER_SOAK_SEED ?? Date.now() % 2 ** 32);

/** A subnet of 59 addresses and one of eleven. */
const SUBNETS = { 'soak-a': '10.1.0.0/26', 'soak-b': '10.1.0.64/28' };
const ADDRESSES = 70;

let product: TestProduct;

beforeAll(async () => {
  product = await startProduct({ kubelets: false, faulty: true });
  const { client } = product;
  await ensureFargate(client, NS);
  for (const [name, cidr] of Object.entries(SUBNETS)) {
    const spec = { cidr, zone: 'local-1a', type: 'private' } as const;
    await client.create(subnets, { apiVersion: API_VERSION, kind: 'Subnet', metadata: { name }, spec });
  }
  const spec = { subnets: Object.keys(SUBNETS) };
  await until(() => client.patch(fargateProfiles, { name: NS }, { spec }, { type: 'merge' }), {
    limitMs: 30_000,
    what: 'the subnets to be known to the webhook',
  });
}, 120_000);

afterAll(() => product?.stop(), 60_000);

it(`${CYCLES} pods with crashes leave every address accounted for (seed ${SEED})`, async () => {
  const figures = await soakAddresses(product, {
    namespace: NS,
    cycles: CYCLES,
    tenants: 90,
    addresses: ADDRESSES,
    seed: SEED,
  });
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  expect(figures.given).toBeGreaterThan(CYCLES / 2);
  expect(figures.kills + figures.cuts + figures.silences + figures.restarts).toBeGreaterThan(0);
}, 3_600_000);
