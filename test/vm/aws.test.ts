/**
 * AWS clients, unmodified, against the embedded cluster. AWS CLI and boto3 make a profile each and run a pod under
 * it; the second pod's image comes from a registry that asks who pulls, and in it boto3 takes its account's role.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Network } from '../../src/api/network.ts';
import { publishImage } from '../../src/cluster/basics.ts';
import { findCluster } from '../../src/cluster/cluster.ts';
import { CONTROL_ADDRESS, EKS_PORT } from '../../src/cluster/plan.ts';
import { NETWORK } from '../../src/core/net/network.ts';
import type { Pod } from '../../src/core/pod.ts';
import { exec } from '../../src/host/exec.ts';
import { pythonPrograms } from '../aws/python.ts';
import { kubectlOf } from '../support/kubectl.ts';
import { inPod, readyAccount, readyPod, shellPod } from '../support/machines.ts';
import { type PrivateRegistry, startPrivateRegistry } from '../support/private-registry.ts';
import { pythonImage } from '../support/python-image.ts';
import { clusterOfRun } from '../support/run.ts';
import { tool } from '../support/tool.ts';

type Egress = Network['spec']['node']['egress'];

const NAME = 'vm-aws';
const { name: cluster, state } = clusterOfRun();
const ACCOUNT = '000000000000';
/** The pod execution role, and the role of a service account. */
const ROLE = `arn:aws:iam::${ACCOUNT}:role/pods`;
const READER = `arn:aws:iam::${ACCOUNT}:role/reader`;
const HOST = 'private.cloister.internal';
const IMAGE = 'test/boto3:1';

const { kubectl, read } = kubectlOf();
let aws: (...args: readonly string[]) => Promise<string>;
let boto3: (script: string) => Promise<string>;
let registry: PrivateRegistry;
let folder: string;
/** What nodes may reach by the network object as it was. */
let before: Egress | undefined;
let env: Record<string, string>;

/** The second pod: where STS is, and whose certificates to believe, are ordinary variables of the SDKs. */
const application = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: NAME, name: 'web', labels: { app: 'web' } },
  spec: {
    serviceAccountName: 'reader',
    terminationGracePeriodSeconds: 2,
    containers: [
      {
        name: 'main',
        image: `${HOST}/${IMAGE}`,
        command: ['sleep', 'infinity'],
        resources: { requests: { cpu: '1', memory: '1Gi' } },
        env: [
          { name: 'AWS_ENDPOINT_URL_STS', value: `https://${CONTROL_ADDRESS}:${EKS_PORT}` },
          { name: 'AWS_CA_BUNDLE', value: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
        ],
      },
    ],
  },
};

const nodesReach = (egress: Egress): Promise<string> =>
  kubectl([
    ...['patch', 'network', NETWORK, '--type', 'merge'],
    ...['-p', JSON.stringify({ spec: { node: { egress } } })],
  ]);

beforeAll(async () => {
  const programs = await pythonPrograms();
  folder = mkdtempSync(join(tmpdir(), 'cloister-aws-'));
  const exports = await tool('aws-env', '--name', cluster);
  env = {
    HOME: folder,
    AWS_PAGER: '',
    AWS_EC2_METADATA_DISABLED: 'true',
    PATH: `${programs}:${process.env.PATH}`,
  };
  for (const [, name = '', value = ''] of exports.matchAll(/^export (\w+)=(.*)$/gm)) env[name] = value;
  aws = (...args) => exec(join(programs, 'aws'), args, { env, limitMs: 180_000 });
  boto3 = (script) => exec(join(programs, 'python'), ['-c', script], { env, limitMs: 180_000 });
  registry = await startPrivateRegistry(cluster, state, join(folder, 'registry'));
  before = (await read<Network>('network', NETWORK)).spec.node.egress;
  await nodesReach([...before, registry.egress]);
  await publishImage(state, findCluster(cluster, state).registry, IMAGE, await pythonImage());
  await kubectl([
    ...['create', 'secret', 'docker-registry', NAME, '-n', 'cloister-system', `--docker-server=${HOST}`],
    ...[`--docker-username=${registry.username}`, `--docker-password=${registry.password}`],
  ]);
  await kubectl([
    ...['annotate', 'secret', NAME, '-n', 'cloister-system', `eks.amazonaws.com/role-arn=${ROLE}`],
    `cloister.dev/registry-endpoint=${registry.endpoint}`,
  ]);
}, 600_000);

afterAll(async () => {
  await kubectl(['delete', 'secret', NAME, '-n', 'cloister-system', '--ignore-not-found']);
  if (before !== undefined) await nodesReach(before);
  await registry?.stop();
  rmSync(folder, { recursive: true });
}, 60_000);

const profile = ['--cluster-name', cluster, '--fargate-profile-name', NAME];

it('the CLI creates a profile, and waits until its selectors are live', async () => {
  await aws(
    'eks',
    'create-fargate-profile',
    ...profile,
    '--pod-execution-role-arn',
    `arn:aws:iam::${ACCOUNT}:role/other`,
    '--selectors',
    `namespace=${NAME},labels={app=cli}`,
  );
  await aws('eks', 'wait', 'fargate-profile-active', ...profile);
  const { fargateProfile } = JSON.parse(
    await aws('eks', 'describe-fargate-profile', ...profile, '--output', 'json'),
  );
  expect(fargateProfile).toMatchObject({ status: 'ACTIVE', subnets: ['private-a', 'private-b'] });
});

it('boto3 does the same', async () => {
  const script = `
import boto3
eks = boto3.client("eks")
name = {"clusterName": "${cluster}", "fargateProfileName": "${NAME}-boto3"}
selectors = [{"namespace": "${NAME}", "labels": {"app": "web"}}]
eks.create_fargate_profile(**name, podExecutionRoleArn="${ROLE}", selectors=selectors)
eks.get_waiter("fargate_profile_active").wait(**name, WaiterConfig={"Delay": 1})
print(eks.describe_fargate_profile(**name)["fargateProfile"]["status"])`;
  expect(await boto3(script)).toBe('ACTIVE\n');
});

it('the CLI gives a kubectl that works, and both profiles give pods machines of their own', async () => {
  const kubeconfig = join(folder, 'kubeconfig');
  await aws('eks', 'update-kubeconfig', '--name', cluster, '--kubeconfig', kubeconfig);
  const own = kubectlOf(kubeconfig, env);
  const account = (name: string, annotations = {}): object => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace: NAME, name, annotations },
  });
  await own.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAME } },
    account('reader', { 'eks.amazonaws.com/role-arn': READER }),
    account('other'),
  );
  await readyAccount(NAME);
  await own.apply(shellPod(NAME, 'cli', 'sleep infinity'), application);
  const [cli, web] = await Promise.all([readyPod(NAME, 'cli'), readyPod(NAME, 'web')]);
  expect(cli.spec.nodeName).toMatch(/^fargate-ip-/);
  expect(web.spec.nodeName).toMatch(/^fargate-ip-/);
  expect(web.spec.nodeName).not.toBe(cli.spec.nodeName);
}, 420_000);

it('the node pulled with the pod execution role, of which the pod sees nothing', async () => {
  expect(await registry.askedByAnybody()).toBe('401');
  const { spec } = await read<Pod>('pod', '-n', NAME, 'web');
  expect(spec.containers[0]?.image).toBe(`${HOST}/${IMAGE}`);
  expect(spec.imagePullSecrets).toBeUndefined();
  const search = `grep -rl ${registry.password} /etc /home /run /tmp /var`;
  const seen = await inPod(NAME, 'web', `env; cat /proc/mounts; ls -R /etc; ${search} || true`);
  expect(seen).toContain('AWS_ROLE_ARN'); // it did look
  expect(seen).not.toMatch(/image-cred|\/etc\/kubernetes/);
  expect(seen).not.toContain(registry.password);
});

it('boto3 in the pod takes the role of its service account, which no other account gets', async () => {
  const token = await kubectl(['create', 'token', 'other', '-n', NAME, '--audience=sts.amazonaws.com']);
  // One process for both: to start Python takes most of the time where guests are emulated.
  const script = `
import boto3, sys
sts = boto3.client("sts")
print(sts.get_caller_identity()["Arn"])
other = {"RoleArn": "${READER}", "RoleSessionName": "other", "WebIdentityToken": sys.argv[1]}
try:
    sts.assume_role_with_web_identity(**other)
except sts.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])`;
  const program = ['exec', '-n', NAME, 'web', '--', 'python3', '-c', script, token];
  const [arn, refusal] = (await kubectl(program, { limitMs: 200_000 })).split('\n');
  expect(arn).toMatch(new RegExp(`^arn:aws:sts::${ACCOUNT}:assumed-role/reader/`));
  expect(refusal).toBe('AccessDenied');
}, 210_000);

it('both delete their profile, and with it the pods that ran under it', async () => {
  await aws('eks', 'delete-fargate-profile', ...profile);
  await aws('eks', 'wait', 'fargate-profile-deleted', ...profile);
  await boto3(`
import boto3
eks = boto3.client("eks")
name = {"clusterName": "${cluster}", "fargateProfileName": "${NAME}-boto3"}
eks.delete_fargate_profile(**name)
eks.get_waiter("fargate_profile_deleted").wait(**name, WaiterConfig={"Delay": 1})`);
  expect(await kubectl(['get', 'pods', '-n', NAME, '-o', 'name'])).toBe('');
  await kubectl(['delete', 'namespace', NAME, '--timeout=60s'], { limitMs: 70_000 });
}, 240_000);
