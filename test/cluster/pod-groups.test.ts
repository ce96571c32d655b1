/** Security groups of pods (spec/fargate.md §6.1) on a real API server; guests are stand-ins. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  customResourceDefinitions,
  microVMs,
  mutatingWebhookConfigurations,
  pods,
  prefixLists,
  securityGroupPolicies,
  securityGroups,
  serviceAccounts,
} from '../../src/api/resources.ts';
import type { SecurityGroupPolicy } from '../../src/api/security-group-policy.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { isNotFound } from '../../src/kube/client.ts';
import { kubectlOf } from '../support/kubectl.ts';
import {
  ensureFargate,
  ensureGroups,
  podIn,
  startProduct,
  type TestProduct,
  untilPhase,
} from '../support/product.ts';

const NS = 'apps';
const ANNOTATION = 'fargate.amazonaws.com/pod-sg';
let product: TestProduct;

beforeAll(async () => {
  product = await startProduct();
  await ensureFargate(product.client, NS);
  await policy('web', { podSelector: { matchLabels: { app: 'web' } } }, 'sg-web');
  await policy(
    'reader',
    {
      podSelector: { matchLabels: { app: 'web' } },
      serviceAccountSelector: { matchLabels: { role: 'reader' } },
    },
    'sg-shared',
    'sg-reader',
  );
  await policy('all-of-many', { podSelector: { matchLabels: { app: 'many' } } }, 'sg-1', 'sg-2', 'sg-3');
  await policy('many', { podSelector: { matchLabels: { app: 'many' } } }, 'sg-4', 'sg-5', 'sg-6');
  await ensureGroups(product.client, 'sg-web', 'sg-reader', 'sg-shared');
  await product.client.create(serviceAccounts, {
    metadata: { namespace: NS, name: 'reader', labels: { role: 'reader' } },
  });
  // The policy that was made last makes the sixth group, which is one too many.
  await until(async () => (await refusal(groupsOf('probe', { app: 'many' }))).includes('give it 6'), {
    limitMs: 30_000,
    what: 'the policies to be live',
  });
}, 120_000);

afterAll(() => product?.stop(), 60_000);

const policy = (
  name: string,
  selectors: Omit<NonNullable<SecurityGroupPolicy['spec']>, 'securityGroups'>,
  ...groupIds: string[]
) =>
  product.client.create(securityGroupPolicies, {
    apiVersion: 'vpcresources.k8s.aws/v1beta1',
    kind: 'SecurityGroupPolicy',
    metadata: { namespace: NS, name },
    spec: { ...selectors, securityGroups: { groupIds } },
  });

const labelled = (
  name: string,
  labels: Record<string, string>,
  annotations?: Record<string, string>,
  spec: Partial<Pod['spec']> = {},
): Pod => {
  const pod = podIn(NS, name, spec);
  return { ...pod, metadata: { ...pod.metadata, labels, ...(annotations && { annotations }) } };
};

/** The annotation that a pod would be stored with. */
const groupsOf = async (...parts: Parameters<typeof labelled>): Promise<string | undefined> => {
  const stored = await product.client.create(pods, labelled(...parts), { dryRun: true });
  return stored.metadata.annotations?.[ANNOTATION];
};

const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    (cause: Error) => cause.message,
  );

describe('a pod that is created', () => {
  it.each<[string, Record<string, string>, Record<string, string> | undefined, string, string | undefined]>([
    ['gets the groups of its policy', { app: 'web' }, undefined, 'default', 'sg-web'],
    [
      'gets those of all that match, in list order',
      { app: 'web' },
      undefined,
      'reader',
      'sg-shared,sg-reader,sg-web',
    ],
    ['gets none without a policy', { app: 'api' }, undefined, 'default', undefined],
    [
      'loses what its user wrote, without a policy',
      { app: 'api' },
      { [ANNOTATION]: 'sg-x' },
      'default',
      undefined,
    ],
    ['loses what its user wrote, with one', { app: 'web' }, { [ANNOTATION]: 'sg-x' }, 'default', 'sg-web'],
  ])('%s', async (_, labels, annotations, serviceAccountName, expected) => {
    expect(await groupsOf('p', labels, annotations, { serviceAccountName })).toBe(expected);
  });

  it('keeps other annotations', async () => {
    const stored = await product.client.create(pods, labelled('p', { app: 'web' }, { note: 'x' }), {
      dryRun: true,
    });
    expect(stored.metadata.annotations).toEqual({ note: 'x', [ANNOTATION]: 'sg-web' });
  });

  it('is refused when its groups cannot be told', async () => {
    expect(
      await refusal(groupsOf('p', { app: 'web' }, undefined, { serviceAccountName: 'nobody' })),
    ).toContain('Failed to get Matching SGP for Pods, rejecting event');
  });

  it('is refused with more than 5 groups', async () => {
    expect(await refusal(groupsOf('p', { app: 'many' }))).toContain(
      'A pod on Fargate can have at most 5 security groups, and its SecurityGroupPolicies give it 6: ' +
        'sg-1, sg-2, sg-3, sg-4, sg-5, sg-6',
    );
  });

  it('has nothing to do with us when it does not run on Fargate', async () => {
    const pod = podIn('default', 'plain');
    const annotations = { [ANNOTATION]: 'sg-x' };
    const stored = await product.client.create(
      pods,
      { ...pod, metadata: { ...pod.metadata, labels: { app: 'web' }, annotations } },
      { dryRun: true },
    );
    expect(stored.metadata.annotations).toEqual(annotations);
  });
});

describe('the annotation', () => {
  const change = (name: string, value: string | null) =>
    refusal(
      product.client.patch(
        pods,
        { namespace: NS, name },
        { metadata: { annotations: { [ANNOTATION]: value } } },
        { type: 'merge' },
      ),
    );

  it('reaches the machine, and cannot be changed afterwards', async () => {
    const { client } = product;
    await client.create(pods, labelled('kept', { app: 'web' }));
    const pod = await untilPhase(client, NS, 'kept', 'Running');
    expect((await client.get(microVMs, { name: `vm-${pod.metadata.uid}` })).spec.securityGroups).toEqual([
      'sg-web',
    ]);
    const denied =
      'admission webhook "vpod.vpc.k8s.aws" denied the request: annotation is not set by mutating webhook';
    expect(await change('kept', 'sg-other')).toContain(denied);
    expect(await change('kept', null)).toContain(denied);
    expect(await change('kept', 'sg-web')).toBe('accepted');
    const relabelled = { metadata: { labels: { app: 'api' }, annotations: { note: 'x' } } };
    await client.patch(pods, { namespace: NS, name: 'kept' }, relabelled, { type: 'merge' });
    expect((await client.get(pods, { namespace: NS, name: 'kept' })).metadata.annotations?.[ANNOTATION]).toBe(
      'sg-web',
    );
  });

  it('stays as it was when a policy changes; new pods get what it says then', async () => {
    const { client } = product;
    const spec = { securityGroups: { groupIds: ['sg-later'] } };
    await client.patch(securityGroupPolicies, { namespace: NS, name: 'web' }, { spec }, { type: 'merge' });
    await until(async () => (await groupsOf('probe', { app: 'web' })) === 'sg-later', {
      limitMs: 30_000,
      what: 'new pods to get the new group',
    });
    const kept = await client.get(pods, { namespace: NS, name: 'kept' });
    expect(kept.metadata.annotations?.[ANNOTATION]).toBe('sg-web');
    const machine = await client.get(microVMs, { name: `vm-${kept.metadata.uid}` });
    expect(machine.spec.securityGroups).toEqual(['sg-web']);
    await client.delete(pods, { namespace: NS, name: 'kept' });
  });

  it('cannot be brought along while the product is away', async () => {
    await product.kill();
    try {
      const own = labelled('smuggler', { 'eks.amazonaws.com/fargate-profile': NS }, { [ANNOTATION]: 'sg-x' });
      const smuggled = { ...own, spec: { ...own.spec, schedulerName: 'fargate-scheduler' } };
      expect(await refusal(product.client.create(pods, smuggled))).toContain(
        'failed calling webhook "vpod.vpc.k8s.aws"',
      );
      expect(await refusal(product.client.create(pods, podIn('default', 'other'), { dryRun: true }))).toBe(
        'accepted',
      );
    } finally {
      await product.start();
    }
  });
});

describe('a group that does not exist', () => {
  it('keeps its pod waiting in the text of the original, until it appears', async () => {
    const { client } = product;
    await client.create(pods, labelled('early', { app: 'web' }));
    await until(
      async () => {
        const { status } = await client.get(pods, { namespace: NS, name: 'early' });
        return status?.conditions?.some(
          ({ type, message }) =>
            type === 'PodScheduled' &&
            message ===
              "An error occurred (InvalidSecurityGroupID.NotFound) when calling the CreateNetworkInterface operation: The securityGroup ID 'sg-later' does not exist",
        );
      },
      { limitMs: 30_000, what: 'the pod to say which group it waits for' },
    );
    const since = Date.now();
    await ensureGroups(client, 'sg-later');
    await untilPhase(client, NS, 'early', 'Running');
    expect(Date.now() - since).toBeLessThan(30_000); // a second look comes after 60 s only
  });

  it('cannot become one that a pod has', async () => {
    const { client } = product;
    const remove = () => refusal(client.delete(securityGroups, { name: 'sg-later' }));
    expect(await remove()).toContain(
      'An error occurred (DependencyViolation) when calling the DeleteSecurityGroup operation: ' +
        'resource sg-later has a dependent object: pod apps/early',
    );
    await client.delete(pods, { namespace: NS, name: 'early' });
    await until(async () => (await remove()) === 'accepted', { limitMs: 30_000, what: 'the pod to let go' });
  });
});

describe('a prefix list and a group that rules name', () => {
  it('stay while they do', async () => {
    const { client } = product;
    await client.create(prefixLists, {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'PrefixList',
      metadata: { name: 'office' },
      spec: { entries: [{ cidr: '192.0.2.0/24' }] },
    });
    const peers = [{ prefixList: 'office' }, { group: 'sg-shared' }, { group: 'sg-reader' }];
    const ingress = [{ protocol: 'tcp', peers }];
    await client.patch(securityGroups, { name: 'sg-reader' }, { spec: { ingress } }, { type: 'merge' });
    const removeList = () => refusal(client.delete(prefixLists, { name: 'office' }));
    const removeGroup = (name: string) => refusal(client.delete(securityGroups, { name }));
    expect(await removeGroup('sg-shared')).toContain('calling the DeleteSecurityGroup operation');
    expect(await removeList()).toContain(
      'calling the DeleteManagedPrefixList operation: resource office has a dependent object: security group sg-reader',
    );
    expect(await removeGroup('sg-reader')).toBe('accepted'); // only a rule of its own names it
    expect(await removeList()).toBe('accepted');
    expect(await removeGroup('sg-shared')).toBe('accepted');
  });
});

describe('the kind', () => {
  it('is known to kubectl by its short name and its column', async () => {
    const { kubectl } = kubectlOf(product.kubeconfig);
    const [header, ...rows] = (await kubectl(['get', 'sgp', '-n', NS])).split('\n');
    expect(header).toMatch(/^NAME +SECURITY-GROUP-IDS *$/);
    expect(rows.map((row) => row.split(/ {2,}/))).toContainEqual(['reader', '["sg-shared","sg-reader"]']);
  });

  it('needs at least one group where groups are listed', async () => {
    expect(await refusal(policy('none', { podSelector: {} }))).toMatch(/should have at least 1 items/);
  });
});

describe('where the upstream webhook is installed', () => {
  it('it alone gives groups', async () => {
    const { client } = product;
    const upstream = { metadata: { name: 'vpc-resource-mutating-webhook' }, webhooks: [] };
    await client.create(mutatingWebhookConfigurations, upstream);
    const brought = () => groupsOf('p', { app: 'web' }, { [ANNOTATION]: 'sg-theirs' });
    await until(async () => (await brought()) === 'sg-theirs', { limitMs: 30_000, what: 'us to be silent' });
    await client.delete(mutatingWebhookConfigurations, upstream.metadata);
    await until(async () => (await brought()) === 'sg-later', { limitMs: 30_000, what: 'us to speak again' });
  }, 90_000);
});

describe('where somebody removed the kind', () => {
  it('pods start as if there were no policy, also after a restart', async () => {
    const { client } = product;
    await product.kill();
    const kind = { name: 'securitygrouppolicies.vpcresources.k8s.aws' };
    await client.delete(customResourceDefinitions, kind);
    await until(() => client.get(customResourceDefinitions, kind).then(() => false, isNotFound), {
      limitMs: 30_000,
      what: 'the kind to be gone',
    });
    await product.start();
    expect(await refusal(groupsOf('p', { app: 'many' }))).toBe('accepted');
    expect(await groupsOf('p', { app: 'web' }, { [ANNOTATION]: 'sg-x' })).toBeUndefined();
  }, 90_000);
});
