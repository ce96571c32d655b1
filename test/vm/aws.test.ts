/** The AWS CLI, unmodified, against the embedded cluster: a profile, a kubeconfig, and a pod on a machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exec } from '../../src/host/exec.ts';
import { pythonPrograms } from '../aws/python.ts';
import { kubectlOf } from '../support/kubectl.ts';
import { shellPod } from '../support/machines.ts';

const NAME = 'vm-aws';
const TOOL = join(import.meta.dirname, '../../tool');
const { CLOISTER_CLUSTER: cluster = '' } = process.env;
const ROLE = 'arn:aws:iam::000000000000:role/pods';

let aws: (...args: readonly string[]) => Promise<string>;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  const programs = await pythonPrograms();
  folder = mkdtempSync(join(tmpdir(), 'cloister-aws-'));
  const exports = await exec(TOOL, ['aws-env', '--name', cluster]);
  env = {
    HOME: folder,
    AWS_PAGER: '',
    AWS_EC2_METADATA_DISABLED: 'true',
    PATH: `${programs}:${process.env.PATH}`,
  };
  for (const [, name = '', value = ''] of exports.matchAll(/^export (\w+)=(.*)$/gm)) env[name] = value;
  aws = (...args) => exec(join(programs, 'aws'), args, { env, limitMs: 180_000 });
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true }));

const profile = ['--cluster-name', cluster, '--fargate-profile-name', NAME];

it('creates a profile, and waits until its selectors are live', async () => {
  await aws(
    'eks',
    'create-fargate-profile',
    ...profile,
    '--pod-execution-role-arn',
    ROLE,
    '--selectors',
    `namespace=${NAME}`,
  );
  await aws('eks', 'wait', 'fargate-profile-active', ...profile);
  const { fargateProfile } = JSON.parse(
    await aws('eks', 'describe-fargate-profile', ...profile, '--output', 'json'),
  );
  expect(fargateProfile).toMatchObject({ status: 'ACTIVE', subnets: ['private-a', 'private-b'] });
});

it('gives a kubectl that works, and a pod under that profile runs on a machine of its own', async () => {
  const kubeconfig = join(folder, 'kubeconfig');
  await aws('eks', 'update-kubeconfig', '--name', cluster, '--kubeconfig', kubeconfig);
  const { kubectl, apply, kubectlUntil } = kubectlOf(kubeconfig, env);
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAME } });
  await kubectlUntil(
    ['get', 'serviceaccount', '-n', NAME, '-o', 'name'],
    (names) => names.includes('default'),
    'the default service account',
  );
  await apply(shellPod(NAME, 'web', 'sleep infinity'));
  await kubectl(['wait', '-n', NAME, 'pod/web', '--for=condition=Ready', '--timeout=240s'], {
    limitMs: 250_000,
  });
  const node = await kubectl(['get', 'pod', '-n', NAME, 'web', '-o', 'jsonpath={.spec.nodeName}']);
  expect(node).toMatch(/^fargate-ip-/);
}, 300_000);

it('deletes the profile, and with it the pods that ran under it', async () => {
  await aws('eks', 'delete-fargate-profile', ...profile);
  await aws('eks', 'wait', 'fargate-profile-deleted', ...profile);
  const { kubectl } = kubectlOf();
  expect(await kubectl(['get', 'pods', '-n', NAME, '-o', 'name'])).toBe('');
  await kubectl(['delete', 'namespace', NAME, '--timeout=60s'], { limitMs: 70_000 });
});
