/** The AWS SDK for JavaScript, unmodified, creates a profile, runs a pod under it, and takes both away. */
import * as eks from '@aws-sdk/client-eks';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_AUTH } from '../../src/api/aws-auth.ts';
import {
  configMaps,
  fargateProfiles,
  namespaces,
  nodes,
  podExecutionRoles,
  pods,
  secrets,
} from '../../src/api/resources.ts';
import { planAll } from '../../src/cli/plan.ts';
import { liveSurroundings } from '../../src/cli/surroundings.ts';
import { until } from '../../src/host/wait.ts';
import { isNotFound } from '../../src/kube/client.ts';
import { imageCredentials } from '../../src/lifecycle/image-credentials.ts';
import { ensureFargate, podIn, untilPhase } from '../support/product.ts';
import { call, misfits, type Raw } from './raw.ts';
import {
  ACCOUNT,
  CLUSTER,
  createRole,
  REGION,
  ROLE,
  roleObject,
  startEks,
  type TestEks,
  trustPolicy,
} from './support.ts';

let test: TestEks;

beforeAll(async () => {
  test = await startEks();
}, 120_000);

afterAll(() => test?.stop(), 60_000);

type PodKey = { readonly namespace: string; readonly name: string };

const WAIT = { maxWaitTime: 30, minDelay: 0.1, maxDelay: 0.2 };

const create = (fargateProfileName: string, more: Partial<eks.CreateFargateProfileRequest> = {}) =>
  test.client.send(
    new eks.CreateFargateProfileCommand({
      clusterName: CLUSTER,
      fargateProfileName,
      podExecutionRoleArn: ROLE,
      selectors: [{ namespace: fargateProfileName }],
      ...more,
    }),
  );
const describeProfile = (fargateProfileName: string) =>
  test.client.send(new eks.DescribeFargateProfileCommand({ clusterName: CLUSTER, fargateProfileName }));
const active = (fargateProfileName: string) =>
  eks.waitUntilFargateProfileActive(
    { client: test.client, ...WAIT },
    { clusterName: CLUSTER, fargateProfileName },
  );
const remove = async (fargateProfileName: string) => {
  await test.client.send(new eks.DeleteFargateProfileCommand({ clusterName: CLUSTER, fargateProfileName }));
  const waited = await eks.waitUntilFargateProfileDeleted(
    { client: test.client, ...WAIT },
    { clusterName: CLUSTER, fargateProfileName },
  );
  expect(waited.state).toBe('SUCCESS');
};

describe('a profile', () => {
  it('goes from CREATING to ACTIVE, as one object behind both doors', async () => {
    const { fargateProfile } = await create('web', { tags: { team: 'a' } });
    expect(fargateProfile).toMatchObject({
      fargateProfileName: 'web',
      clusterName: CLUSTER,
      podExecutionRoleArn: ROLE,
      subnets: ['private-a', 'private-b'],
      selectors: [{ namespace: 'web' }],
      status: 'CREATING',
      tags: { team: 'a' },
      health: { issues: [] },
    });
    expect(fargateProfile?.selectors?.[0]).not.toHaveProperty('labels');
    expect(fargateProfile?.fargateProfileArn).toMatch(
      new RegExp(
        `^arn:aws:eks:${REGION}:${ACCOUNT}:fargateprofile/${CLUSTER}/web/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`,
      ),
    );
    expect(Date.now() - (fargateProfile?.createdAt?.getTime() ?? 0)).toBeLessThan(10_000);
    expect((await active('web')).state).toBe('SUCCESS');
    const stored = await test.product.client.get(fargateProfiles, { name: 'web' });
    expect(stored.spec.selectors).toEqual([{ namespace: 'web' }]);
    expect(stored.status?.status).toBe('ACTIVE');
  });

  it('takes pods at once when it is ACTIVE, and takes them along when it goes', async () => {
    const { client } = test.product;
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'web' } });
    await client.create(pods, podIn('web', 'one'));
    const pod = await untilPhase(client, 'web', 'one', 'Running');
    expect(pod.metadata.labels?.['eks.amazonaws.com/fargate-profile']).toBe('web');
    // Tags of the profile stay with it (spec/fargate.md §1.4).
    const node = await client.get(nodes, { name: pod.spec.nodeName ?? '' });
    for (const { metadata } of [pod, node])
      expect({ ...metadata.labels, ...metadata.annotations }).not.toHaveProperty('team');
    await remove('web');
    await expect(client.get(pods, { namespace: 'web', name: 'one' })).rejects.toSatisfy(isNotFound);
    const after = await client.create(pods, podIn('web', 'two'));
    expect(after.spec.schedulerName).toBe('default-scheduler');
    await client.delete(pods, { namespace: 'web', name: 'two' });
  });

  it('of kubectl is seen by AWS clients, and goes with its pods through that door, too', async () => {
    const { client } = test.product;
    await ensureFargate(client, 'by-kubectl');
    expect((await active('by-kubectl')).state).toBe('SUCCESS');
    const { fargateProfile } = await describeProfile('by-kubectl');
    expect(fargateProfile).toMatchObject({ subnets: ['a', 'private-a', 'private-b'], tags: {} });
    await client.create(pods, podIn('by-kubectl', 'one'));
    await client.delete(fargateProfiles, { name: 'by-kubectl' });
    await until(() => client.get(fargateProfiles, { name: 'by-kubectl' }).then(() => false, isNotFound), {
      limitMs: 30_000,
      what: 'the profile to be gone',
    });
    expect(await client.list(pods, { namespace: 'by-kubectl' })).toEqual([]);
    await expect(describeProfile('by-kubectl')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  /** A pod that waits for a claim which nobody makes, so that what it is told besides can be seen. */
  const createWaiting = (namespace: string) => {
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'none' } }];
    return test.product.client.create(pods, podIn(namespace, 'one', { ...podIn('', '').spec, volumes }));
  };
  /** Waits until a pod is told something, and gives it. */
  const untilTold = (
    pod: PodKey,
    what: string,
    holds: (message: string) => boolean = (message) => message !== '',
  ): Promise<string> =>
    until(
      async () => {
        const { status } = await test.product.client.get(pods, pod);
        const message = status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message ?? '';
        return holds(message) ? message : undefined;
      },
      { limitMs: 30_000, what }, // shorter than the minute after which a pod is looked at again anyway
    );

  it('launches nothing while its role is away or does not trust, and what waits when it does again', async () => {
    const { client } = test.product;
    await create('trusted'); // where no role is told of, every one is good
    await active('trusted');
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'trusted' } });
    await createWaiting('trusted');
    const [one, two] = ['one', 'two'].map((name) => ({ namespace: 'trusted', name })) as [PodKey, PodKey];
    const waits = await untilTold(one, 'the pod to wait for its claim');

    await createRole(client, 'other', trustPolicy());
    const missed = await untilTold(one, 'the role to be missed', (message) => message !== waits);
    expect(missed).toBe(
      'Misconfigured Fargate Profile: fargate profile trusted blocked for new launches due to: Failed to assume PodExecutionRole; Please make sure the role exists and trusts the eks-fargate-pods.amazonaws.com service principal',
    );
    const plan = async (...before: readonly object[]) => {
      const documents = [...before, podIn('trusted', 'planned')].map((one) => ({ ...one }));
      return (await planAll(documents, await liveSurroundings(client), 'default', client))[0];
    };
    expect(await plan()).toMatchObject({ runs: false, message: missed });
    expect(await plan(roleObject('pods', trustPolicy()))).toMatchObject({ runs: true, message: null });

    await createRole(client, 'pods', trustPolicy());
    await untilTold(one, 'the role to be found', (message) => message === waits);

    const auth = { auths: { 'registry.example': { username: 'AWS', password: 'p' } } };
    await client.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        namespace: 'cloister-system',
        name: 'pulls',
        annotations: { 'eks.amazonaws.com/role-arn': ROLE },
      },
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': Buffer.from(JSON.stringify(auth)).toString('base64') },
    });
    /** What nodes of the profile pull with now. */
    const pullsWith = async () => {
      const [profile, roles] = await Promise.all([
        client.get(fargateProfiles, { name: 'trusted' }),
        client.list(podExecutionRoles),
      ]);
      const owner = { account: { partition: 'aws', region: REGION, account: ACCOUNT }, cluster: CLUSTER };
      const context = {
        client,
        profiles: { get: () => profile },
        roles: { now: () => ({ ...owner, roles }) },
      };
      return (await imageCredentials({ profile: 'trusted' }, context)).map(({ host }) => host);
    };
    expect(await pullsWith()).toEqual(['registry.example']);

    const changeTrust = (assumeRolePolicyDocument: object) =>
      client.patch(
        podExecutionRoles,
        { name: 'pods' },
        { spec: { assumeRolePolicyDocument } },
        { type: 'merge' },
      );
    await changeTrust(trustPolicy({}, 'eks.amazonaws.com'));
    const distrusted = await untilTold(one, 'the trust to be missed', (message) => message !== waits);
    expect(await pullsWith()).toEqual([]);
    await client.create(pods, podIn('trusted', 'two'));
    expect(await untilTold(two, 'the other pod to be told')).toBe(distrusted);
    await changeTrust(trustPolicy());
    await untilPhase(client, 'trusted', 'two', 'Running');

    await remove('trusted');
    await client.delete(secrets, { namespace: 'cloister-system', name: 'pulls' });
    for (const name of ['pods', 'other']) await client.delete(podExecutionRoles, { name });
  }, 90_000);

  it('gives its role to aws-auth, and launches nothing while it is not there', async () => {
    const { client } = test.product;
    await create('mapped');
    await active('mapped');
    const { data } = await client.get(configMaps, AWS_AUTH);
    expect(data?.['mapRoles']).toContain(`rolearn: ${ROLE}`);
    expect(data?.['mapRoles']).toContain('username: system:node:{{SessionName}}');

    // A pod that waits for something else is told about its role while that is not mapped.
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mapped' } });
    await createWaiting('mapped');
    const one = { namespace: 'mapped', name: 'one' };
    const waits = await untilTold(one, 'the pod to wait for its claim');
    const mapRoles = (text: string | undefined) =>
      client.patch(configMaps, AWS_AUTH, { data: { mapRoles: text ?? '' } }, { type: 'merge' });
    await mapRoles('[]');
    expect(await untilTold(one, 'the role to be missed', (message) => message !== waits)).toBe(
      'Misconfigured Fargate Profile: fargate profile mapped blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods.',
    );
    await mapRoles(data?.['mapRoles']);
    await untilTold(one, 'the role to be back', (message) => message === waits);
    await remove('mapped');
  }, 90_000);

  it('fails, and says why, while nobody can read aws-auth, and is ACTIVE when that is corrected', async () => {
    const { client } = test.product;
    const write = (mapRoles: string) =>
      client.patch(configMaps, AWS_AUTH, { data: { mapRoles } }, { type: 'merge' });
    await write('- rolearn: [');
    await create('unread');
    const failed = () =>
      describeProfile('unread').then(({ fargateProfile }) => fargateProfile?.health?.issues);
    const issues = await until(async () => ((await failed())?.length === 1 ? failed() : undefined), {
      limitMs: 10_000,
      what: 'the profile to tell what is wrong',
    });
    expect(issues).toEqual([
      {
        code: 'InternalFailure',
        message: expect.stringMatching(
          /^mapRoles of ConfigMap kube-system\/aws-auth cannot be read, .*: correct it$/,
        ),
        resourceIds: ['unread'],
      },
    ]);
    expect((await describeProfile('unread')).fargateProfile?.status).toBe('CREATE_FAILED');
    await write('');
    // The waiter of the client takes CREATE_FAILED for the end.
    const isActive = async () => (await describeProfile('unread')).fargateProfile?.status === 'ACTIVE';
    await until(isActive, { limitMs: 10_000, what: 'the profile to be ACTIVE' });
    await remove('unread');
  }, 60_000);

  it('is made once for one token', async () => {
    const token = { clientRequestToken: 'Token-1' };
    const first = await create('idem', { ...token, tags: { a: '1' } });
    await active('idem');
    const again = await create('idem', { ...token, tags: { a: '1' } });
    expect(again.fargateProfile).toEqual(first.fargateProfile);
    expect(again.fargateProfile?.status).toBe('CREATING');
    await expect(create('idem', { ...token, tags: { a: '2' } })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: 'clientRequestToken was used before, for a request with other parameters',
    });
    await expect(create('idem')).rejects.toMatchObject({ name: 'ResourceInUseException' });
    const cased = create('idem', { clientRequestToken: 'TOKEN-1', tags: { a: '1' } });
    await expect(cased).rejects.toMatchObject({ name: 'ResourceInUseException' });
    await remove('idem');
    expect((await create('idem', { ...token, tags: { a: '1' } })).fargateProfile).toEqual(
      first.fargateProfile,
    );
    await expect(describeProfile('idem')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('is found again by its token when the answer was not kept any more', async () => {
    const token = { clientRequestToken: 'Token-2' };
    const first = await create('crash', token);
    await active('crash');
    // As after a crash between the profile and the record of the answer.
    for (const { metadata } of await test.product.client.list(configMaps, { namespace: 'cloister-system' }))
      if (metadata.name?.startsWith('eks-request-'))
        await test.product.client.delete(configMaps, { namespace: 'cloister-system', name: metadata.name });
    expect((await create('crash', token)).fargateProfile).toEqual(first.fargateProfile);
    await remove('crash');
  });

  it('is updated in place, which the original cannot', async () => {
    await create('changed');
    await active('changed');
    const path = `/clusters/${CLUSTER}/fargate-profiles/changed/update`;
    const update = (body: object) =>
      call(test.product.eks.http, { method: 'POST', path, body: JSON.stringify(body) }, test.keys);
    const { status, json } = await update({
      selectors: [{ namespace: 'other', labels: { a: '*' } }],
      subnets: ['private-b'],
      policy: { privileged: true },
    });
    expect([status, json['fargateProfile']]).toMatchObject([
      200,
      { selectors: [{ namespace: 'other', labels: { a: '*' } }], subnets: ['private-b'], status: 'CREATING' },
    ]);
    await active('changed'); // the new selectors are live
    const stored = await test.product.client.get(fargateProfiles, { name: 'changed' });
    expect(stored.spec).toMatchObject({ podExecutionRoleArn: ROLE, policy: { privileged: true } });
    expect((await update({ selectors: [] })).json['message']).toBe(
      'Fargate Profile requires at least one selector.',
    );
    expect((await update({ subnets: ['public-a'] })).status).toBe(400);
    expect((await update({ policy: { privileged: 'yes' } })).headers['x-amzn-errortype']).toBe(
      'SerializationException',
    );
    await remove('changed');
  });

  const ODD_TAGS = { 'a b/c': 'é&+', 'two\nlines': '1\n2', x: '' };

  it('carries tags that come and go', async () => {
    const { fargateProfile } = await create('tagged');
    await active('tagged');
    const resourceArn = fargateProfile?.fargateProfileArn;
    const tags = async (arn = resourceArn) =>
      (await test.client.send(new eks.ListTagsForResourceCommand({ resourceArn: arn }))).tags;
    expect(await tags()).toEqual({});
    await test.client.send(new eks.TagResourceCommand({ resourceArn, tags: ODD_TAGS }));
    expect(await tags()).toEqual(ODD_TAGS);
    await test.client.send(
      new eks.UntagResourceCommand({ resourceArn, tagKeys: ['a b/c', 'two\nlines', 'none'] }),
    );
    expect((await describeProfile('tagged')).fargateProfile?.tags).toEqual({ x: '' });
    const cluster = `arn:aws:eks:${REGION}:${ACCOUNT}:cluster/${CLUSTER}`;
    await test.client.send(new eks.TagResourceCommand({ resourceArn: cluster, tags: { k: 'v' } }));
    expect(await tags(cluster)).toEqual({ k: 'v' });
    expect((await test.client.send(new eks.DescribeClusterCommand({ name: CLUSTER }))).cluster?.tags).toEqual(
      {
        k: 'v',
      },
    );
    await remove('tagged');
  });

  it('keeps what each of many callers adds at the same time, as the cluster does, up to the limit', async () => {
    const { fargateProfile } = await create('shared');
    await active('shared');
    const cluster = `arn:aws:eks:${REGION}:${ACCOUNT}:cluster/${CLUSTER}`;
    for (const resourceArn of [fargateProfile?.fargateProfileArn, cluster]) {
      const { tags: before } = await test.client.send(new eks.ListTagsForResourceCommand({ resourceArn }));
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, caller) => {
          const tags = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`${caller}-${i}`, '']));
          return test.client.send(new eks.TagResourceCommand({ resourceArn, tags }));
        }),
      );
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      expect(refused.map((one) => 'reason' in one && one.reason.name)).toEqual(
        refused.map(() => 'BadRequestException'),
      );
      const { tags } = await test.client.send(new eks.ListTagsForResourceCommand({ resourceArn }));
      expect(Object.keys(tags ?? {})).toHaveLength(
        Object.keys(before ?? {}).length + 6 * (10 - refused.length),
      );
      expect(refused).toHaveLength(2);
      const tagKeys = Object.keys(tags ?? {});
      await test.client.send(new eks.UntagResourceCommand({ resourceArn, tagKeys }));
    }
    await remove('shared');
  });
});

describe('lists', () => {
  it('come in pages', async () => {
    const names = ['p1', 'p2', 'p3', 'p4', 'p5'];
    for (const name of names) {
      await create(name);
      await active(name);
    }
    const seen: string[][] = [];
    for await (const page of eks.paginateListFargateProfiles(
      { client: test.client, pageSize: 2 },
      { clusterName: CLUSTER },
    ))
      seen.push(page.fargateProfileNames ?? []);
    expect(seen).toEqual([['p1', 'p2'], ['p3', 'p4'], ['p5']]);
    for (const name of names) await remove(name);
  }, 60_000);
});

describe('access entries', () => {
  const roleOf = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
  const list = async (more: Partial<eks.ListAccessEntriesRequest> = {}) =>
    test.client.send(new eks.ListAccessEntriesCommand({ clusterName: CLUSTER, ...more }));
  const entryOf = (principalArn: string) =>
    test.client.send(new eks.DescribeAccessEntryCommand({ clusterName: CLUSTER, principalArn }));

  it('are there for the roles of profiles, in pages, and go with the last profile of a role', async () => {
    const entries = async () => (await list()).accessEntries;
    // Entries are made of what watches have brought.
    await until(async () => (await entries())?.length === 0, {
      limitMs: 10_000,
      what: 'the entry of the profiles before to be gone',
    });
    const long = 'r'.repeat(64);
    for (const [profile, role] of [
      ['e1', 'b'],
      ['e2', long],
      ['e3', 'a'],
      ['e4', 'a'],
    ] as const) {
      await create(profile, { podExecutionRoleArn: roleOf(role) });
      await active(profile);
    }
    const pages = eks.paginateListAccessEntries(
      { client: test.client, pageSize: 2 },
      { clusterName: CLUSTER },
    );
    const seen: unknown[] = [];
    for await (const { accessEntries } of pages) seen.push(accessEntries);
    expect(seen).toEqual([[roleOf('a'), roleOf('b')], [roleOf(long)]]);
    const policy = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy';
    expect((await list({ associatedPolicyArn: policy })).accessEntries).toEqual([]);

    const { accessEntry } = await entryOf(roleOf(long));
    expect(accessEntry).toMatchObject({
      clusterName: CLUSTER,
      principalArn: roleOf(long),
      kubernetesGroups: ['system:bootstrappers', 'system:nodes', 'system:node-proxier'],
      username: 'system:node:{{SessionName}}',
      type: 'FARGATE_LINUX',
      tags: {},
    });
    expect(accessEntry?.createdAt).toEqual((await describeProfile('e2')).fargateProfile?.createdAt);
    const associated = { clusterName: CLUSTER, principalArn: roleOf('a') };
    expect(await test.client.send(new eks.ListAssociatedAccessPoliciesCommand(associated))).toMatchObject({
      ...associated,
      associatedAccessPolicies: [],
    });

    await remove('e2');
    await remove('e3');
    await until(async () => (await entries())?.length === 2, {
      limitMs: 10_000,
      what: 'the entry of e2 to be gone',
    });
    expect(await entries()).toEqual([roleOf('a'), roleOf('b')]);
    await expect(entryOf(roleOf(long))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message:
        "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
      clusterName: CLUSTER,
    });
    const making = new eks.CreateAccessEntryCommand({ clusterName: CLUSTER, principalArn: roleOf('x') });
    await expect(test.client.send(making)).rejects.toMatchObject({ name: 'UnknownOperationException' });
    for (const name of ['e1', 'e4']) await remove(name);
  }, 60_000);
});

describe('responses', () => {
  const ENTRY = encodeURIComponent(ROLE);
  const answers = async (raw: Raw) => (await call(test.product.eks.http, raw, test.keys)).json;

  it.each<[string, () => Promise<Raw>, unknown]>([
    [
      'CreateFargateProfile',
      async () => ({
        method: 'POST',
        path: `/clusters/${CLUSTER}/fargate-profiles`,
        body: JSON.stringify({
          fargateProfileName: 'shape',
          podExecutionRoleArn: ROLE,
          selectors: [{ namespace: 'n', labels: { k: 'v' } }],
        }),
      }),
      eks.CreateFargateProfileResponse$,
    ],
    [
      'DescribeFargateProfile',
      async () => ({ method: 'GET', path: `/clusters/${CLUSTER}/fargate-profiles/shape` }),
      eks.DescribeFargateProfileResponse$,
    ],
    [
      'ListFargateProfiles',
      async () => ({ method: 'GET', path: `/clusters/${CLUSTER}/fargate-profiles` }),
      eks.ListFargateProfilesResponse$,
    ],
    [
      'ListAccessEntries',
      async () => {
        await active('shape'); // its role is mapped
        return { method: 'GET', path: `/clusters/${CLUSTER}/access-entries` };
      },
      eks.ListAccessEntriesResponse$,
    ],
    [
      'DescribeAccessEntry',
      async () => ({ method: 'GET', path: `/clusters/${CLUSTER}/access-entries/${ENTRY}` }),
      eks.DescribeAccessEntryResponse$,
    ],
    [
      'ListAssociatedAccessPolicies',
      async () => ({ method: 'GET', path: `/clusters/${CLUSTER}/access-entries/${ENTRY}/access-policies` }),
      eks.ListAssociatedAccessPoliciesResponse$,
    ],
    [
      'DeleteFargateProfile',
      async () => ({ method: 'DELETE', path: `/clusters/${CLUSTER}/fargate-profiles/shape` }),
      eks.DeleteFargateProfileResponse$,
    ],
    ['ListClusters', async () => ({ method: 'GET', path: '/clusters' }), eks.ListClustersResponse$],
    [
      'DescribeCluster',
      async () => ({ method: 'GET', path: `/clusters/${CLUSTER}` }),
      eks.DescribeClusterResponse$,
    ],
    [
      'DescribeClusterVersions',
      async () => ({ method: 'GET', path: '/cluster-versions' }),
      eks.DescribeClusterVersionsResponse$,
    ],
    [
      'ListTagsForResource',
      async () => ({
        method: 'GET',
        path: `/tags/${encodeURIComponent(`arn:aws:eks:${REGION}:${ACCOUNT}:cluster/${CLUSTER}`)}`,
      }),
      eks.ListTagsForResourceResponse$,
    ],
  ])('of %s fit the schema of the client, member by member', async (_, raw, schema) => {
    const json = await answers(await raw());
    expect(Object.keys(json).length).toBeGreaterThan(0);
    expect(misfits(schema, json, ['FargateProfile', 'AccessEntry'])).toEqual([]);
  });

  it('tell who the caller is', async () => {
    const identity = await test.sts.send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({
      Account: ACCOUNT,
      Arn: `arn:aws:iam::${ACCOUNT}:user/admin`,
      UserId: test.keys.accessKeyId,
    });
  });
});
