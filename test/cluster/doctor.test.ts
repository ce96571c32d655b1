/** `cloister doctor` as its users run it, on a real API server. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { networks, pods, securityGroupPolicies } from '../../src/api/resources.ts';
import type { Finding } from '../../src/core/doctor/findings.ts';
import { until } from '../../src/host/wait.ts';
import { installNetwork } from '../../src/tool/network.ts';
import { cloister } from '../support/cloister.ts';
import { ensureFargate, podIn, startProduct, type TestProduct } from '../support/product.ts';

const NS = 'apps';
let product: TestProduct;

beforeAll(async () => {
  product = await startProduct();
  const { client } = product;
  await installNetwork(client, 'test', true);
  const spec = { cidrs: ['10.42.0.0/16', '10.0.0.0/16'] };
  await client.patch(networks, { name: 'cluster' }, { spec }, { type: 'merge' });
  await ensureFargate(client, NS);
}, 120_000);

afterAll(() => product?.stop(), 60_000);

const doctor = (...args: readonly string[]) => cloister(product, ['doctor', ...args]);

it('finds nothing wrong, and says so', async () => {
  expect(await doctor()).toEqual({ code: 0, out: 'nothing is wrong\n', err: '' });
}, 60_000);

it('tells what is wrong, and what to do', async () => {
  const { client } = product;
  await client.create(securityGroupPolicies, {
    apiVersion: 'vpcresources.k8s.aws/v1beta1',
    kind: 'SecurityGroupPolicy',
    metadata: { namespace: NS, name: 'web' },
    spec: { podSelector: {}, securityGroups: { groupIds: ['sg-gone'] } },
  });
  await client.patch(networks, { name: 'cluster' }, { spec: { dnsSupport: false } }, { type: 'merge' });
  await until(
    async () => {
      const { metadata } = await client.create(pods, podIn(NS, 'probe'), { dryRun: true });
      return metadata.annotations?.['fargate.amazonaws.com/pod-sg'] === 'sg-gone';
    },
    { limitMs: 30_000, what: 'the policy to be live' },
  );
  await client.create(pods, podIn(NS, 'web'));
  await until(
    async () => (await client.get(pods, { namespace: NS, name: 'web' })).status?.conditions?.length,
    { limitMs: 30_000, what: 'the pod to have its reason' },
  );
  const { code, out } = await doctor('-o', 'json');
  expect(code).toBe(1);
  const findings = JSON.parse(out) as readonly Finding[];
  expect(findings.map(({ code: one, about }) => `${one} ${about}`)).toEqual([
    'DnsOff network/cluster',
    `GroupMissing securitygrouppolicy/${NS}/web`,
    `PodPending pod/${NS}/web`,
  ]);
  const text = await doctor();
  expect(text.out).toContain(`  → cloister why pod/web -n ${NS}\n`);
}, 90_000);

it('finds webhooks that do not answer', async () => {
  await product.kill();
  const { out } = await doctor('-o', 'json');
  expect((JSON.parse(out) as readonly Finding[])[0]).toMatchObject({ code: 'WebhooksAway' });
  await product.start();
}, 90_000);
