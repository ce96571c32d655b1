/** AWS CLI and boto3, unmodified, with waiters, pagination, kubectl tokens and roles of service accounts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenRequest } from 'kubernetes-types/authentication/v1.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespaces, pods, serviceAccounts } from '../../src/api/resources.ts';
import { putEntry } from '../../src/eks/access.ts';
import { exec } from '../../src/host/exec.ts';

import { podIn, untilPhase } from '../support/product.ts';
import { component } from '../support/run.ts';
import { awsEnvironment, pythonPrograms } from './python.ts';
import { ACCOUNT, CLUSTER, ROLE, startEks, type TestEks } from './support.ts';

let test: TestEks;
let programs: string;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  programs = await pythonPrograms();
  test = await startEks();
  folder = mkdtempSync(join(tmpdir(), 'cloister-aws-'));
  env = { ...awsEnvironment(test.product, test.keys), HOME: folder };
}, 600_000);

afterAll(async () => {
  await test?.stop();
  if (folder) rmSync(folder, { recursive: true });
}, 60_000);

const aws = (args: readonly string[], more: Record<string, string> = {}) =>
  exec(join(programs, 'aws'), args, { env: { ...env, ...more }, limitMs: 120_000 });
const awsJson = async (args: readonly string[]) =>
  JSON.parse((await aws([...args, '--output', 'json'])) || '{}');

describe('boto3', () => {
  it('creates, waits, lists in pages, tags, describes and deletes', async () => {
    const script = join(import.meta.dirname, 'flow.py');
    const output = await exec(join(programs, 'python'), [script, CLUSTER, ROLE], { env, limitMs: 120_000 });
    expect(JSON.parse(output)).toEqual({
      pages: [['boto-a', 'boto-b'], ['boto-c']],
      profile: {
        fargateProfileName: 'boto-b',
        clusterName: CLUSTER,
        podExecutionRoleArn: ROLE,
        subnets: ['private-a', 'private-b'],
        selectors: [{ namespace: 'boto-b', labels: { app: '*' } }],
        status: 'ACTIVE',
        tags: { by: 'boto3' },
        health: { issues: [] },
      },
      tags: { more: '1' },
      clusters: [CLUSTER],
      versions: ['1.36'],
      entries: [['FARGATE_LINUX', ROLE]],
      policies: [],
      missing: {
        Code: 'ResourceNotFoundException',
        Message: 'No Fargate Profile found with name: boto-a.',
      },
      members: { clusterName: CLUSTER, fargateProfileName: 'boto-a', nodegroupName: null },
      unserved: 'UnknownOperationException',
    });
  }, 120_000);
});

describe('the AWS CLI', () => {
  const profile = ['--cluster-name', CLUSTER, '--fargate-profile-name', 'cli'];

  it('creates a profile, under which a pod then runs', async () => {
    const selector = '{"namespace":"cli","labels":{"app":"web"}}';
    const created = await awsJson([
      ...['eks', 'create-fargate-profile', ...profile, '--pod-execution-role-arn', ROLE],
      ...['--selectors', selector, '--subnets', 'private-a', '--tags', 'a=b'],
    ]);
    expect(created.fargateProfile).toMatchObject({
      status: 'CREATING',
      subnets: ['private-a'],
      tags: { a: 'b' },
    });
    await aws(['eks', 'wait', 'fargate-profile-active', ...profile]);
    const { client } = test.product;
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'cli' } });
    const pod = podIn('cli', 'web');
    await client.create(pods, { ...pod, metadata: { ...pod.metadata, labels: { app: 'web' } } });
    expect((await untilPhase(client, 'cli', 'web', 'Running')).spec.nodeName).toMatch(/^fargate-ip-10-0-/);
    expect(await awsJson(['eks', 'list-fargate-profiles', '--cluster-name', CLUSTER])).toEqual({
      fargateProfileNames: ['cli'],
    });
    const principal = ['--cluster-name', CLUSTER, '--principal-arn', ROLE];
    expect((await awsJson(['eks', 'describe-access-entry', ...principal])).accessEntry).toMatchObject({
      principalArn: ROLE,
      type: 'FARGATE_LINUX',
    });
  }, 120_000);

  it('says what is wrong in the words of the service', async () => {
    await expect(
      aws(['eks', 'describe-fargate-profile', '--cluster-name', 'none', '--fargate-profile-name', 'x']),
    ).rejects.toThrow(
      'An error occurred (ResourceNotFoundException) when calling the DescribeFargateProfile operation: No cluster found for name: none.',
    );
    await expect(aws(['eks', 'list-clusters'], { AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) })).rejects.toThrow(
      'InvalidSignatureException',
    );
    await expect(
      aws(['sts', 'get-caller-identity'], { AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) }),
    ).rejects.toThrow('SignatureDoesNotMatch');
    await expect(aws(['sts', 'get-session-token'])).rejects.toThrow('InvalidAction');
  }, 60_000);

  it('deletes the profile and its pod', async () => {
    await aws(['eks', 'delete-fargate-profile', ...profile]);
    // The waiter of the CLI looks every 30 s: the profile goes well before its second look.
    await aws(['eks', 'wait', 'fargate-profile-deleted', ...profile]);
    expect(await test.product.client.list(pods, { namespace: 'cli' })).toEqual([]);
  }, 120_000);

  it('makes a kubeconfig with which kubectl works', async () => {
    const kubeconfig = join(folder, 'kubeconfig');
    await aws(['eks', 'update-kubeconfig', '--name', CLUSTER, '--kubeconfig', kubeconfig]);
    expect(readFileSync(kubeconfig, 'utf8')).toContain('command: aws');
    const kubectl = async (args: readonly string[], more: Record<string, string> = {}) =>
      exec(component('kubectl'), ['--kubeconfig', kubeconfig, ...args], {
        env: { ...env, PATH: `${programs}:${process.env['PATH']}`, ...more },
      });
    expect(JSON.parse(await kubectl(['auth', 'whoami', '-o', 'json'])).status.userInfo).toMatchObject({
      username: `arn:aws:iam::${ACCOUNT}:user/admin`,
      groups: ['system:masters', 'system:authenticated'],
    });
    expect(await kubectl(['get', 'namespaces', '-o', 'name'])).toContain('namespace/cloister-system');
    // A key that nobody is to kubectl, and one of nobody.
    const reader = { accessKeyId: 'AKIAREADERREADER2345', secretAccessKey: 'reader-secret-reader-secret' };
    await putEntry(test.product.client, reader.accessKeyId, {
      ...{ user: 'reader', secretAccessKey: reader.secretAccessKey },
      ...{ actions: ['*'], clusters: ['*'] },
    });
    for (const key of [reader, { ...reader, secretAccessKey: 'wrong-secret-wrong-secret' }])
      await expect(
        kubectl(['get', 'namespaces'], {
          AWS_ACCESS_KEY_ID: key.accessKeyId,
          AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
        }),
      ).rejects.toThrow(/Unauthorized|must be logged in/);
  }, 120_000);
});

describe('the role of a service account', () => {
  const NS = 'irsa';
  const role = `arn:aws:iam::${ACCOUNT}:role/reader`;

  /** A projected token in a file, as pods have it (spec/fargate.md §7). */
  const tokenFile = async (account: string, audience = 'sts.amazonaws.com'): Promise<string> => {
    const answer = await test.product.client.create<TokenRequest>(
      serviceAccounts,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: 600 },
      },
      { namespace: NS, name: account, subresource: 'token' },
    );
    const path = join(folder, `${account}-${audience}`);
    writeFileSync(path, answer.status?.token ?? '');
    return path;
  };
  const boto = async (file: string, code: string) =>
    exec(join(programs, 'python'), ['-c', `import boto3\nprint(${code})`], {
      env: {
        ...awsEnvironment(test.product),
        HOME: folder,
        AWS_ROLE_ARN: role,
        AWS_WEB_IDENTITY_TOKEN_FILE: file,
        AWS_ROLE_SESSION_NAME: 'pod-1',
      },
      limitMs: 60_000,
    });
  const WHO = 'boto3.client("sts").get_caller_identity()["Arn"]';
  const LIST = 'boto3.client("eks").list_clusters()["clusters"]';

  beforeAll(async () => {
    const { client } = test.product;
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } });
    for (const [name, annotations] of [
      ['reader', { 'eks.amazonaws.com/role-arn': role }],
      ['other', {}],
      ['imitator', { 'eks.amazonaws.com/role-arn': role }],
    ] as const)
      await client.create(serviceAccounts, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { namespace: NS, name, annotations },
      });
    await putEntry(client, 'role.reader', {
      trust: [`system:serviceaccount:${NS}:reader`],
      actions: ['eks:List*'],
      clusters: ['*'],
    });
  });

  it('is obtained by boto3, and does what it may', async () => {
    const file = await tokenFile('reader');
    expect(await boto(file, WHO)).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/reader/pod-1\n`);
    expect(await boto(file, LIST)).toBe(`['${CLUSTER}']\n`);
    await expect(boto(file, `boto3.client("eks").describe_cluster(name="${CLUSTER}")`)).rejects.toThrow(
      `User: arn:aws:sts::${ACCOUNT}:assumed-role/reader/pod-1 is not authorized to perform: eks:DescribeCluster`,
    );
  }, 60_000);

  it('is not obtained by another account, with another audience, or with an altered token', async () => {
    await expect(boto(await tokenFile('other'), WHO)).rejects.toThrow('AccessDenied');
    await expect(boto(await tokenFile('reader', 'vault'), WHO)).rejects.toThrow('InvalidIdentityToken');
    const altered = await tokenFile('reader');
    const text = readFileSync(altered, 'utf8');
    writeFileSync(altered, `${text.slice(0, -8)}${text.at(-8) === 'A' ? 'B' : 'A'}${text.slice(-7)}`);
    await expect(boto(altered, WHO)).rejects.toThrow('InvalidIdentityToken');
  }, 60_000);

  it('gives nothing to an account that writes the annotation itself', async () => {
    const file = await tokenFile('imitator');
    await expect(boto(file, LIST)).rejects.toThrow('is not authorized to perform: eks:ListClusters');
  }, 60_000);
});
