/** `cloister doctor` as its users run it, on a real API server. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { networks, pods, securityGroupPolicies } from '../../src/api/resources.ts';
import type { Finding } from '../../src/core/doctor/findings.ts';
import { until } from '../../src/host/wait.ts';
import { installNetwork } from '../../src/tool/network.ts';
import { ensureFargate, podIn, startProduct, type TestProduct } from '../support/product.ts';

const NS = 'apps';
const CLOISTER = join(import.meta.dirname, '../../src/cli/main.ts');
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

const doctor = (...args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> =>
  new Promise((resolve, reject) => {
    // A state folder of its own: the cluster of this host is none of this test's business.
    const env = { ...process.env, KUBECONFIG: product.kubeconfig, XDG_STATE_HOME: product.machines };
    const child = spawn(process.execPath, ['--import', 'tsx', CLOISTER, 'doctor', ...args], { env });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject).once('close', (code) => resolve({ code, out, err }));
  });

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
