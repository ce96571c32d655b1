/** Each row of spec/fargate.md §1.2 and §1.3 that this service can be brought to, over the wire. */
import { readFileSync } from 'node:fs';
import * as eks from '@aws-sdk/client-eks';
import { NormalizedSchema } from '@smithy/core/schema';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fargateProfiles, leases } from '../../src/api/resources.ts';
import { ERROR_TYPES, type ErrorType, membersOf, statusOf } from '../../src/core/eks/errors.ts';
import { putEntry } from '../../src/eks/access.ts';
import { sendRefusal } from '../../src/eks/http.ts';
import { until } from '../../src/host/wait.ts';
import { call, type Raw, type Signing } from './raw.ts';
import {
  ACCOUNT,
  CLUSTER,
  createRole,
  REGION,
  ROLE,
  startEks,
  type TestEks,
  trustPolicy,
} from './support.ts';

let test: TestEks;
const BASE = `/clusters/${CLUSTER}/fargate-profiles`;

const send = (raw: Raw, signing: Partial<Signing> = {}) =>
  call(test.product.eks.http, raw, { ...test.keys, ...signing });
const post = (body: unknown, path = BASE) =>
  send({ method: 'POST', path, body: typeof body === 'string' ? body : JSON.stringify(body) });
const active = (name: string) =>
  until(
    async () => {
      const { json } = await send({ method: 'GET', path: `${BASE}/${name}` });
      return (json['fargateProfile'] as { status: string } | undefined)?.status === 'ACTIVE';
    },
    { limitMs: 10_000, what: `profile ${name} to be ACTIVE` },
  );

/** A key that may not do everything. */
const READER = {
  accessKeyId: 'AKIAREADERREADER2345',
  secretAccessKey: 'reader-secret-reader-secret-reader-secre',
};
/** A key that soon has to wait, for so long that no test does. */
const TOKEN_SECONDS = 600;
const SLOW = {
  accessKeyId: 'AKIASLOWSLOWSLOW2345',
  secretAccessKey: 'slow-secret-slow-secret-slow-secret-slow',
};

const PROFILES_ARN = `arn:aws:eks:${REGION}:${ACCOUNT}:fargateprofile/${CLUSTER}/*`;
const onSource = (operator: string, source: string) =>
  trustPolicy({ [operator]: { 'aws:SourceArn': source } });
/** Roles that do not trust the service for profiles of this cluster, beside the one that does. */
const DISTRUSTFUL = {
  'wrong-service': trustPolicy({}, 'eks.amazonaws.com'),
  'cluster-arn': onSource('ArnLike', `arn:aws:eks:${REGION}:${ACCOUNT}:cluster/${CLUSTER}`),
  'other-cluster': onSource('ArnEquals', `arn:aws:eks:${REGION}:${ACCOUNT}:fargateprofile/other/*`),
  'other-account': trustPolicy({ StringEquals: { 'aws:SourceAccount': '444455556666' } }),
  'not-understood': trustPolicy({ Bool: { 'aws:SecureTransport': 'true' } }),
};
const ROLES = {
  ...DISTRUSTFUL,
  pods: trustPolicy({
    StringLike: { 'aws:SourceArn': PROFILES_ARN },
    StringEquals: { 'aws:SourceAccount': ACCOUNT },
  }),
};
const UNTRUSTED =
  'Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal';

beforeAll(async () => {
  test = await startEks();
  const { client } = test.product;
  await putEntry(client, READER.accessKeyId, {
    secretAccessKey: READER.secretAccessKey,
    user: 'reader',
    actions: ['eks:Describe*', 'eks:List*'],
    clusters: [CLUSTER],
  });
  await putEntry(client, SLOW.accessKeyId, {
    secretAccessKey: SLOW.secretAccessKey,
    user: 'slow',
    actions: ['*'],
    clusters: ['*'],
    rate: { perSecond: 1 / TOKEN_SECONDS, burst: 3 },
  });
  for (const [name, policy] of Object.entries(ROLES)) await createRole(client, name, policy);
  await post({ fargateProfileName: 'there', podExecutionRoleArn: ROLE, selectors: [{ namespace: 'x' }] });
  await active('there');
}, 120_000);

afterAll(() => test?.stop(), 60_000);

const profile = (more: Record<string, unknown> = {}) => ({
  fargateProfileName: 'new',
  podExecutionRoleArn: ROLE,
  selectors: [{ namespace: 'x' }],
  ...more,
});
const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
const arn = (rest: string) => `/tags/${encodeURIComponent(`arn:aws:eks:${REGION}:${ACCOUNT}:${rest}`)}`;

const PARAMETER = { clusterName: CLUSTER, fargateProfileName: 'new' };

interface Row {
  readonly what: string;
  readonly raw: () => Raw;
  readonly status: number;
  readonly type: ErrorType;
  readonly message: string | RegExp;
  readonly members?: Record<string, unknown>;
  readonly signing?: Partial<Signing>;
}

const creating =
  (body: unknown, path = BASE) =>
  (): Raw => ({
    method: 'POST',
    path,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const invalid = (what: string, more: Record<string, unknown>, message: string | RegExp): Row => ({
  what,
  raw: creating(profile(more)),
  status: 400,
  type: 'InvalidParameterException',
  message,
  members: PARAMETER,
});

const ROWS: readonly Row[] = [
  {
    what: 'cluster missing, before anything else is looked at',
    raw: creating(profile({ selectors: [] }), '/clusters/other/fargate-profiles'),
    status: 404,
    type: 'ResourceNotFoundException',
    message: 'No cluster found for name: other.',
    members: { clusterName: 'other' },
  },
  ...['', '/there'].map(
    (path): Row => ({
      what: `cluster missing, GET ${path}`,
      raw: () => ({ method: 'GET', path: `/clusters/other/fargate-profiles${path}` }),
      status: 404,
      type: 'ResourceNotFoundException',
      message: 'No cluster found for name: other.',
    }),
  ),
  {
    what: 'cluster missing, described',
    raw: () => ({ method: 'GET', path: '/clusters/other' }),
    status: 404,
    type: 'ResourceNotFoundException',
    message: 'No cluster found for name: other.',
  },
  ...['GET', 'DELETE'].map(
    (method): Row => ({
      what: `profile missing, ${method}`,
      raw: () => ({ method, path: `${BASE}/gone` }),
      status: 404,
      type: 'ResourceNotFoundException',
      message: 'No Fargate Profile found with name: gone.',
      members: { clusterName: CLUSTER, fargateProfileName: 'gone' },
    }),
  ),
  {
    what: 'name taken, before the selectors are looked at',
    raw: creating(profile({ fargateProfileName: 'there', selectors: [] })),
    status: 409,
    type: 'ResourceInUseException',
    message: 'A Fargate Profile already exists with this name in this cluster.',
    members: { clusterName: CLUSTER },
  },
  invalid('selectors missing', { selectors: undefined }, 'Fargate Profile requires at least one selector.'),
  invalid('selectors null', { selectors: null }, 'Fargate Profile requires at least one selector.'),
  invalid('selectors empty', { selectors: [] }, 'Fargate Profile requires at least one selector.'),
  ...[{ labels: { a: 'b' } }, { namespace: '' }, { namespace: null }].map((selector) =>
    invalid(
      `a selector without namespace, ${JSON.stringify(selector)}, beside a good one`,
      { selectors: [{ namespace: 'x' }, selector] },
      'Fargate Profile must have at least one selector with at least one namespace value.',
    ),
  ),
  invalid(
    'more than 5 labels',
    { selectors: [{ namespace: 'x', labels: labels(6) }] },
    'Request contains Selector with more than 5 Label pairs',
  ),
  invalid(
    'more than 5 selectors',
    { selectors: Array.from({ length: 6 }, () => ({ namespace: 'x' })) },
    'Fargate Profile has more than 5 selectors',
  ),
  ...[{ a: '' }, { a: 'v'.repeat(256) }, { '': 'v' }, { ['k'.repeat(128)]: 'v' }].map((pair) =>
    invalid(
      `a label beyond its limits, ${JSON.stringify(pair).slice(0, 20)}`,
      { selectors: [{ namespace: 'x', labels: pair }] },
      'Selector label keys have 1 to 127 characters and values 1 to 255',
    ),
  ),
  invalid(
    'public subnet',
    { subnets: ['private-a', 'public-a'] },
    'Subnet public-a provided in Fargate Profile is not a private subnet',
  ),
  invalid(
    'subnet of a local zone',
    { subnets: ['edge'] },
    'Fargate Profile creation for the Availability Zone local-1-edge-1a for Subnet edge is not supported',
  ),
  invalid(
    'subnet of an outpost',
    { subnets: ['outpost'] },
    'Fargate Profile creation for the Availability Zone local-1a for Subnet outpost is not supported',
  ),
  invalid('no subnet', { subnets: ['none'] }, 'Subnet none provided in Fargate Profile does not exist'),
  invalid(
    'a role with a path',
    { podExecutionRoleArn: `arn:aws:iam::${ACCOUNT}:role/path/name` },
    `podExecutionRoleArn "arn:aws:iam::${ACCOUNT}:role/path/name" must have the form arn:aws:iam::<account>:role/<name>, with no path`,
  ),
  ...['absent', ...Object.keys(DISTRUSTFUL)].map((name) =>
    invalid(
      `a role that does not trust the service: ${name}`,
      { podExecutionRoleArn: `arn:aws:iam::${ACCOUNT}:role/${name}` },
      UNTRUSTED,
    ),
  ),
  invalid('too many tags', { tags: labels(51) }, 'A resource can have up to 50 tags, and not 51'),
  ...['aws:x', 'AWS:x'].map((key) =>
    invalid(
      `the reserved tag ${key}`,
      { tags: { [key]: '1' } },
      `Tag key ${key} cannot be used: keys that begin with aws: are reserved`,
    ),
  ),
  invalid('an empty tag key', { tags: { '': '1' } }, 'Tag keys have 1 to 128 characters, and not 0'),
  invalid(
    'a long tag key',
    { tags: { ['k'.repeat(129)]: '1' } },
    'Tag keys have 1 to 128 characters, and not 129',
  ),
  invalid(
    'a long tag value',
    { tags: { k: 'v'.repeat(257) } },
    'Tag values have up to 256 characters, and not 257',
  ),
  ...['Upper', 'under_score', '-x', 'x'.repeat(64), ''].map(
    (fargateProfileName): Row => ({
      ...invalid(
        'name',
        { fargateProfileName },
        `fargateProfileName ${JSON.stringify(fargateProfileName)} cannot be used: it has 1 to 63 of a-z, 0-9 and -, and begins and ends with a letter or digit`,
      ),
      what: `a name that cannot be used: ${JSON.stringify(fargateProfileName)}`,
      members: { fargateProfileName },
    }),
  ),
  {
    ...invalid(
      'a reserved name',
      { fargateProfileName: 'eks-x' },
      'fargateProfileName eks-x cannot be used: names that start with eks- are reserved',
    ),
    members: { fargateProfileName: 'eks-x' },
  },
  ...['fargateProfileName', 'podExecutionRoleArn'].map(
    (name): Row => ({
      what: `${name} missing`,
      raw: creating(profile({ [name]: undefined })),
      status: 400,
      type: 'InvalidParameterException',
      message: `${name} must be given`,
    }),
  ),
  ...['{', '[]', '5', '"x"', 'null', ''].map(
    (body): Row => ({
      what: `a body that is ${JSON.stringify(body)}`,
      raw: creating(body),
      status: 400,
      type: 'SerializationException',
      message: /./,
    }),
  ),
  ...[
    { fargateProfileName: 5 },
    { selectors: {} },
    { selectors: ['x'] },
    { selectors: [{ namespace: 1 }] },
    { tags: { a: 1 } },
    { subnets: 'private-a' },
  ].map(
    (more): Row => ({
      what: `a member of another type: ${JSON.stringify(more)}`,
      raw: creating(profile(more)),
      status: 400,
      type: 'SerializationException',
      message: /./,
    }),
  ),
  {
    what: 'a body that is too large',
    raw: creating(profile({ clientRequestToken: 'x'.repeat(300_000) })),
    status: 413,
    type: 'RequestEntityTooLargeException',
    message: /./,
  },
  ...['0', '101', '-1', 'x', '1.5', '1e1', ''].map(
    (maxResults): Row => ({
      what: `maxResults=${maxResults}`,
      raw: () => ({ method: 'GET', path: BASE, query: { maxResults } }),
      status: 400,
      type: 'InvalidParameterException',
      message: /^maxResults must be/,
    }),
  ),
  {
    what: 'a token of nobody',
    raw: () => ({ method: 'GET', path: BASE, query: { nextToken: 'bm9ib2R5' } }),
    status: 400,
    type: 'InvalidParameterException',
    message: 'nextToken is not one that this service gave',
  },
  {
    what: 'an unknown status of versions',
    raw: () => ({ method: 'GET', path: '/cluster-versions', query: { status: 'best' } }),
    status: 400,
    type: 'InvalidParameterException',
    message: /^status must be one of/,
  },
  ...['', '/access-policies'].map(
    (path): Row => ({
      what: `a principal without an access entry${path}`,
      raw: () => ({
        method: 'GET',
        path: `/clusters/${CLUSTER}/access-entries/${encodeURIComponent(`${ROLE}-2`)}${path}`,
      }),
      status: 404,
      type: 'ResourceNotFoundException',
      message:
        "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
      members: { clusterName: CLUSTER },
    }),
  ),
  ...['', '/x', '/x/access-policies'].map(
    (path): Row => ({
      what: `cluster missing, access entries${path}`,
      raw: () => ({ method: 'GET', path: `/clusters/other/access-entries${path}` }),
      status: 404,
      type: 'ResourceNotFoundException',
      message: 'No cluster found for name: other.',
      members: { clusterName: 'other' },
    }),
  ),
  {
    what: 'tags of what is no ARN',
    raw: () => ({ method: 'GET', path: '/tags/something' }),
    status: 400,
    type: 'BadRequestException',
    message: 'something is no ARN of a resource of this service.',
  },
  ...[
    `fargateprofile/${CLUSTER}/there/00000000-0000-0000-0000-000000000000`,
    `fargateprofile/${CLUSTER}/gone/00000000-0000-0000-0000-000000000000`,
    'cluster/other',
    `cluster/${CLUSTER}//x`,
    `fargateprofile/${CLUSTER}//00000000-0000-0000-0000-000000000000`,
    `fargateprofile/${CLUSTER}/../00000000-0000-0000-0000-000000000000`,
    `fargateprofile/${CLUSTER}/%2F/00000000-0000-0000-0000-000000000000`,
    'nodegroup/x/y/z',
  ].map(
    (rest): Row => ({
      what: `tags of ${rest}`,
      raw: () => ({ method: 'GET', path: arn(rest) }),
      status: 404,
      type: 'NotFoundException',
      message: /does not exist/,
    }),
  ),
  {
    what: 'a reserved tag, later',
    raw: () => ({
      method: 'POST',
      path: arn(`cluster/${CLUSTER}`),
      body: JSON.stringify({ tags: { 'aws:x': '' } }),
    }),
    status: 400,
    type: 'BadRequestException',
    message: /reserved/,
  },
  {
    what: 'an operation that is not served',
    raw: () => ({ method: 'GET', path: `/clusters/${CLUSTER}/node-groups` }),
    status: 404,
    type: 'UnknownOperationException',
    message: `GET /clusters/${CLUSTER}/node-groups is no operation of this service.`,
  },
  {
    what: 'an action that the key may not do',
    raw: creating(profile()),
    signing: READER,
    status: 403,
    type: 'AccessDeniedException',
    message: `User: arn:aws:iam::${ACCOUNT}:user/reader is not authorized to perform: eks:CreateFargateProfile on resource: arn:aws:eks:${REGION}:${ACCOUNT}:cluster/${CLUSTER}`,
  },
  {
    what: 'a cluster that is not the key’s',
    raw: () => ({ method: 'GET', path: '/clusters/other' }),
    signing: READER,
    status: 403,
    type: 'AccessDeniedException',
    message: /not authorized to perform: eks:DescribeCluster on resource: .*cluster\/other/,
  },
  {
    what: 'an unknown key',
    raw: () => ({ method: 'GET', path: '/clusters' }),
    signing: { accessKeyId: 'AKIANOBODYNOBODY2345' },
    status: 403,
    type: 'UnrecognizedClientException',
    message: 'The security token included in the request is invalid.',
  },
];

describe('a refusal', () => {
  it.each(ROWS.map((row): [string, Row] => [row.what, row]))('%s', async (_, row) => {
    const answer = await send(row.raw(), row.signing);
    expect([answer.status, answer.headers['x-amzn-errortype']], answer.text).toEqual([row.status, row.type]);
    const { message, ...members } = answer.json;
    if (typeof row.message === 'string') expect(message).toBe(row.message);
    else expect(message).toMatch(row.message);
    expect(Object.keys(members)).toEqual(membersOf(row.type));
    if (row.members) expect(members).toMatchObject(row.members);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('leaves nothing behind', async () => {
    const names = (await test.product.client.list(fargateProfiles)).map(({ metadata }) => metadata.name);
    expect(names).toEqual(['there']);
  });
});

describe('the type of a refusal', () => {
  const schemas = new Map<string, unknown>(Object.entries(eks));
  const modelled = ERROR_TYPES.filter((type) => schemas.has(`${type}$`));

  it('is one that the client knows, or one of the protocol (spec/fargate.md §1.2)', () => {
    expect(modelled).toEqual([
      'InvalidParameterException',
      'InvalidRequestException',
      'ClientException',
      'ResourceLimitExceededException',
      'UnsupportedAvailabilityZoneException',
      'BadRequestException',
      'AccessDeniedException',
      'ResourceNotFoundException',
      'NotFoundException',
      'ResourceInUseException',
      'ThrottlingException',
      'ServerException',
      'ServiceUnavailableException',
    ]);
  });

  it.each(modelled)('%s is what the client throws, with its status and members', async (type) => {
    const server = fastify();
    const refusal = { type, message: `about ${type}`, members: { clusterName: 'c' } };
    server.setNotFoundHandler((_request, reply) => sendRefusal(reply, refusal));
    const endpoint = await server.listen({ host: '127.0.0.1', port: 0 });
    const client = new eks.EKSClient({ endpoint, region: REGION, credentials: test.keys, maxAttempts: 1 });
    const thrown = (await client
      .send(new eks.ListClustersCommand({}))
      .catch((cause) => cause)) as eks.EKSServiceException;
    expect(thrown).toBeInstanceOf(schemas.get(type));
    expect([thrown.name, thrown.message, thrown.$metadata.httpStatusCode]).toEqual([
      type,
      `about ${type}`,
      statusOf(type),
    ]);
    if (membersOf(type).includes('clusterName')) expect(thrown).toMatchObject({ clusterName: 'c' });
    client.destroy();
    await server.close();
  });

  it.each(modelled)('%s has the status and the members that the client expects', (type) => {
    const schema = NormalizedSchema.of(schemas.get(`${type}$`) as never);
    const names = [...schema.structIterator()].map(([name]) => name).filter((name) => name !== 'message');
    expect([...membersOf(type)].toSorted()).toEqual(names.toSorted());
    expect(schema.getMergedTraits().httpError).toBe(statusOf(type));
  });
});

describe('an audit line', () => {
  it('tells who asked for what, and what came of it, and no secret', async () => {
    const answer = await send({ method: 'GET', path: `${BASE}/gone` }, READER);
    const id = answer.headers['x-amzn-requestid'];
    const line = await until(
      async () =>
        readFileSync(test.product.controllerLog, 'utf8')
          .split('\n')
          .find((text) => text.includes(`"requestId":"${id}"`)),
      { limitMs: 10_000, what: 'the line of the call' },
    );
    expect(JSON.parse(line).audit).toMatchObject({
      source: '127.0.0.1',
      principal: `arn:aws:iam::${ACCOUNT}:user/reader`,
      accessKeyId: READER.accessKeyId,
      action: 'eks:DescribeFargateProfile',
      cluster: CLUSTER,
      profile: 'gone',
      status: 404,
      error: 'ResourceNotFoundException',
    });
    expect(readFileSync(test.product.controllerLog, 'utf8')).not.toContain(READER.secretAccessKey);
  });
});

describe('one change at a time', () => {
  it('keeps a creation waiting for another, which waits for a replica that lags behind', async () => {
    const key = { namespace: 'cloister-system', name: 'admission-slow' };
    await test.product.client.create(leases, {
      metadata: { ...key, labels: { 'cloister.dev/admission': 'replica' } },
      spec: { holderIdentity: key.name, leaseDurationSeconds: 60 },
    });
    await post(profile({ fargateProfileName: 'slow' }));
    const other = await post(profile({ fargateProfileName: 'other' }));
    expect([other.status, other.json['message']]).toEqual([
      409,
      `Cannot create Fargate Profile other because cluster ${CLUSTER} currently has Fargate profile slow in status CREATING`,
    ]);
    await test.product.client.delete(leases, key);
    await active('slow');
    await test.product.client.delete(fargateProfiles, { name: 'slow' });
    await until(async () => (await send({ method: 'GET', path: `${BASE}/slow` })).status === 404, {
      limitMs: 10_000,
      what: 'the profile to be gone',
    });
  }, 30_000);

  it('keeps creations and deletions apart', async () => {
    // Two at once: the second is decided while the first is CREATING or already ACTIVE.
    const held = { finalizers: ['test.local/hold'] };
    await post(profile({ fargateProfileName: 'first' }));
    await active('first');
    await test.product.client.patch(
      fargateProfiles,
      { name: 'first' },
      { metadata: { finalizers: [...held.finalizers, 'cloister.dev/pods'] } },
      { type: 'merge' },
    );
    expect((await send({ method: 'DELETE', path: `${BASE}/first` })).status).toBe(200);
    const second = await post(profile({ fargateProfileName: 'second' }));
    expect([second.status, second.json]).toEqual([
      409,
      {
        clusterName: CLUSTER,
        nodegroupName: null,
        addonName: null,
        message: `Cannot create Fargate Profile second because cluster ${CLUSTER} currently has Fargate profile first in status DELETING`,
      },
    ]);
    const deletion = await send({ method: 'DELETE', path: `${BASE}/there` });
    expect(deletion.json['message']).toBe(
      `Cannot delete Fargate Profile there because cluster ${CLUSTER} currently has Fargate profile first in status DELETING`,
    );
    const described = await send({ method: 'GET', path: `${BASE}/first` });
    expect((described.json['fargateProfile'] as { status: string }).status).toBe('DELETING');
    await test.product.client.patch(
      fargateProfiles,
      { name: 'first' },
      { metadata: { finalizers: [] } },
      { type: 'merge' },
    );
  });
});

it('takes a profile with everything at its limit (spec/fargate.md §1.4)', async () => {
  const fargateProfileName = 'n'.repeat(63);
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  const pair = (i: number): [string, string] => [`${i}`.padStart(127, 'k'), 'v'.repeat(255)];
  const many = Object.fromEntries(numbers(5).map(pair));
  const selectors = numbers(5).map(() => ({ namespace: 'x', labels: many }));
  const tags = Object.fromEntries(numbers(50).map((i) => [`${i}`.padStart(128, 't'), 'v'.repeat(256)]));
  const created = await post(profile({ fargateProfileName, selectors, tags }));
  expect([created.status, created.json['fargateProfile']], created.text).toMatchObject([
    200,
    { fargateProfileName, selectors, tags },
  ]);
  await active(fargateProfileName);
  await test.product.client.delete(fargateProfiles, { name: fargateProfileName });
  await until(
    async () => (await send({ method: 'GET', path: `${BASE}/${fargateProfileName}` })).status === 404,
    {
      limitMs: 10_000,
      what: 'the profile to be gone',
    },
  );
}, 30_000);

describe('the quota', () => {
  it('ends at ten profiles, through both doors', async () => {
    for (let i = 1; i < 10; i++) {
      const created = await post(profile({ fargateProfileName: `q${i}` }));
      expect(created.status, created.text).toBe(200);
      await active(`q${i}`);
    }
    const over = await post(profile({ fargateProfileName: 'q10' }));
    expect([over.status, over.headers['x-amzn-errortype'], over.json]).toEqual([
      400,
      'ResourceLimitExceededException',
      {
        clusterName: CLUSTER,
        nodegroupName: null,
        subscriptionId: null,
        message: 'The cluster has 10 Fargate profiles, and 10 is the limit. Delete one, or raise the limit.',
      },
    ]);
    await expect(
      test.product.client.create(fargateProfiles, {
        apiVersion: 'cloister.dev/v1alpha1',
        kind: 'FargateProfile',
        metadata: { name: 'q10' },
        spec: { selectors: [{ namespace: 'x' }] },
      }),
    ).rejects.toThrow('The cluster has 10 Fargate profiles, and 10 is the limit');
    for (let i = 1; i < 10; i++) await test.product.client.delete(fargateProfiles, { name: `q${i}` });
  }, 60_000);
});

describe('kubectl', () => {
  it.each([
    [
      'edge',
      'Fargate Profile creation for the Availability Zone local-1-edge-1a for Subnet edge is not supported',
    ],
    ['public-a', 'Subnet public-a provided in Fargate Profile is not a private subnet'],
  ])('is told the same about subnet %s', async (subnet, message) => {
    await expect(
      test.product.client.create(fargateProfiles, {
        apiVersion: 'cloister.dev/v1alpha1',
        kind: 'FargateProfile',
        metadata: { name: 'new' },
        spec: { selectors: [{ namespace: 'x' }], subnets: [subnet] },
      }),
    ).rejects.toThrow(message);
  });

  it.each(['absent', ...Object.keys(DISTRUSTFUL)])('is told the same about role %s', async (name) => {
    const spec = {
      selectors: [{ namespace: 'x' }],
      podExecutionRoleArn: `arn:aws:iam::${ACCOUNT}:role/${name}`,
    };
    const { client } = test.product;
    const made = client.create(fargateProfiles, {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'FargateProfile',
      metadata: { name: 'new' },
      spec,
    });
    await expect(made).rejects.toThrow(UNTRUSTED);
    const changed = client.patch(fargateProfiles, { name: 'there' }, { spec }, { type: 'merge' });
    await expect(changed).rejects.toThrow(UNTRUSTED);
  });
});

describe('throttling', () => {
  it('is per key, with the time to wait', async () => {
    const list = (signing: Signing) => send({ method: 'GET', path: '/clusters' }, signing);
    const answers = [];
    const began = performance.now();
    for (let i = 0; i < 5; i++) answers.push(await list(SLOW));
    const tookSeconds = (performance.now() - began) / 1000;
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
    expect(answers[4]?.headers['x-amzn-errortype']).toBe('ThrottlingException');
    const wait = Number(answers[4]?.headers['retry-after']);
    expect(wait).toBeLessThanOrEqual(TOKEN_SECONDS);
    expect(wait).toBeGreaterThanOrEqual(TOKEN_SECONDS - tookSeconds);
    expect(answers[4]?.json).toEqual({ clusterName: null, message: 'Rate exceeded' });
    expect((await list(READER)).status).toBe(200);
  });
});

describe('keys', () => {
  it('are rotated without a restart', async () => {
    const entry = { user: 'rotating', actions: ['*'], clusters: ['*'] };
    const key = { accessKeyId: 'AKIAROTATINGKEY12345', secretAccessKey: 'first-secret-first-secret' };
    const status = async (secretAccessKey: string) =>
      (await send({ method: 'GET', path: '/clusters' }, { ...key, secretAccessKey })).status;
    const becomes = (secret: string, expected: number) =>
      until(async () => (await status(secret)) === expected, { limitMs: 10_000, what: `status ${expected}` });
    const { client } = test.product;
    await putEntry(client, key.accessKeyId, { ...entry, secretAccessKey: key.secretAccessKey });
    await becomes(key.secretAccessKey, 200);
    await putEntry(client, key.accessKeyId, { ...entry, secretAccessKey: 'second-secret-second-secret' });
    await becomes('second-secret-second-secret', 200);
    expect(await status(key.secretAccessKey)).toBe(403);
    await putEntry(client, key.accessKeyId, null);
    await becomes('second-secret-second-secret', 403);
  });
});
