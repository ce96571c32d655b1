/** The Fargate contract on a real API server, where several parts of the product meet; guests are stand-ins. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configMaps,
  events,
  fargateProfiles,
  mutatingWebhookConfigurations,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  serviceAccounts,
  storageClasses,
  subnets,
  validatingAdmissionPolicyBindings,
} from '../../src/api/resources.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { ensureFargate, podIn, startProduct, type TestProduct, untilPhase } from '../support/product.ts';

const NS = 'apps';
let product: TestProduct;

beforeAll(async () => {
  product = await startProduct();
  await ensureFargate(product.client, NS);
}, 120_000);

afterAll(() => product?.stop(), 60_000);

const read = (name: string, namespace = NS): Promise<Pod> => product.client.get(pods, { namespace, name });

/** Waits until the pod's `PodScheduled` condition has that message. */
const untilTold = (name: string, message: string): Promise<unknown> =>
  until(
    async () => {
      const { status } = await read(name);
      return status?.conditions?.some((one) => one.type === 'PodScheduled' && one.message === message);
    },
    { limitMs: 30_000, what: `pod ${name} to say: ${message}` },
  );

describe('a pod with a claim', () => {
  it('waits until it is bound, runs at once then, and keeps no stale reason', async () => {
    const { client } = product;
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    const about = 'Pod not supported on Fargate: volumes not supported: data not supported because: ';
    await client.create(pods, podIn(NS, 'stateful', { volumes }));
    await untilTold('stateful', `${about}persistentvolumeclaim "data" not found`);
    const spec = {
      storageClassName: '',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
    };
    await client.create(persistentVolumeClaims, { metadata: { namespace: NS, name: 'data' }, spec });
    await untilTold('stateful', `${about}PVC data not bound`);
    const since = Date.now();
    await client.create(persistentVolumes, {
      metadata: { name: 'data' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: '',
        csi: { driver: 'efs.csi.aws.com', volumeHandle: 'fs-1' },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: NS, name: 'data' },
      },
    });
    const pod = await untilPhase(client, NS, 'stateful', 'Running');
    expect(Date.now() - since).toBeLessThan(30_000); // a second look comes after 60 s only
    expect(pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')).toMatchObject({
      status: 'True',
    });
    expect(JSON.stringify(pod.status?.conditions)).not.toContain('not bound');
    await client.delete(pods, { namespace: NS, name: 'stateful' });
  }, 120_000);
});

describe('a claim that waits for its first consumer', () => {
  it('gets a volume that Fargate can mount when its pod comes', async () => {
    const { client } = product;
    await client.create(storageClasses, {
      metadata: { name: 'waiting' },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    const common = { storageClassName: 'waiting', accessModes: ['ReadWriteMany'] };
    await client.create(persistentVolumes, {
      metadata: { name: 'shared' },
      spec: {
        ...common,
        capacity: { storage: '5Gi' },
        csi: { driver: 'efs.csi.aws.com', volumeHandle: 'fs-2' },
      },
    });
    await client.create(persistentVolumeClaims, {
      metadata: { namespace: NS, name: 'patient' },
      spec: { ...common, resources: { requests: { storage: '1Gi' } } },
    });
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'patient' } }];
    await client.create(pods, podIn(NS, 'consumer', { volumes }));
    await untilPhase(client, NS, 'consumer', 'Running');
    const claim = await client.get(persistentVolumeClaims, { namespace: NS, name: 'patient' });
    expect(claim.spec?.volumeName).toBe('shared');
    await client.delete(pods, { namespace: NS, name: 'consumer' });
  }, 120_000);
});

describe('a claim whose volume is yet to be made', () => {
  const makeClass = (name: string) =>
    product.client.create(storageClasses, {
      metadata: { name },
      provisioner: 'efs.csi.aws.com',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
  const common = (storageClassName: string) => ({ storageClassName, accessModes: ['ReadWriteMany'] });
  /** A claim, and a pod of its name that has it. */
  const makePod = async (name: string, storageClass: string) => {
    await product.client.create(persistentVolumeClaims, {
      metadata: { namespace: NS, name },
      spec: { ...common(storageClass), resources: { requests: { storage: '1Gi' } } },
    });
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: name } }];
    await product.client.create(pods, podIn(NS, name, { volumes }));
  };
  /** Waits until the cluster's own controller has handed the claim on to the provisioner, which these tests play. */
  const handedOn = (name: string) =>
    until(
      async () => {
        const one = await product.client.get(persistentVolumeClaims, { namespace: NS, name });
        return 'volume.kubernetes.io/storage-provisioner' in (one.metadata.annotations ?? {}) && one;
      },
      { limitMs: 30_000, what: 'the claim to be handed on' }, // a second look comes after 60 s only
    );
  const untilWaits = (name: string) =>
    untilTold(
      name,
      `Pod not supported on Fargate: volumes not supported: data not supported because: PVC ${name} not bound`,
    );

  beforeAll(() => product.client.create(nodes, { metadata: { name: 'a-node' } }));
  afterAll(() => product.client.delete(nodes, { name: 'a-node' }));

  it('is told to a provisioner when its class comes, too', async () => {
    await makePod('early', 'late');
    await untilWaits('early');
    await makeClass('late');
    await handedOn('early');
    await product.client.delete(pods, { namespace: NS, name: 'early' }, { gracePeriodSeconds: 0 });
  }, 120_000);

  it('is told to a provisioner when its pod comes, and the pod runs when it is bound', async () => {
    const { client } = product;
    const name = 'dynamic';
    await makeClass('made');
    await makePod(name, 'made');
    const claim = await handedOn(name);
    expect(claim.metadata.annotations).toMatchObject({ 'volume.kubernetes.io/selected-node': 'a-node' });
    await untilWaits(name);
    const { uid } = claim.metadata;
    await client.create(persistentVolumes, {
      metadata: { name },
      spec: {
        ...common('made'),
        capacity: { storage: '1Gi' },
        csi: { driver: 'efs.csi.aws.com', volumeHandle: 'fs-1::fsap-1' },
        claimRef: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          namespace: NS,
          name,
          ...(uid && { uid }),
        },
      },
    });
    await untilPhase(client, NS, name, 'Running');
    await client.delete(pods, { namespace: NS, name });
  }, 120_000);
});

describe('a pod with a scheduling gate', () => {
  it('gets no machine and no reason before the gate is lifted', async () => {
    const { client } = product;
    await client.create(pods, podIn(NS, 'gated', { schedulingGates: [{ name: 'example.com/wait' }] }));
    await client.create(pods, podIn(NS, 'free'));
    await untilPhase(client, NS, 'free', 'Running'); // the scheduler has passed the gated one
    const gated = await read('gated');
    expect(gated.status?.conditions).toMatchObject([{ type: 'PodScheduled', reason: 'SchedulingGated' }]);
    expect(product.machineNames()).not.toContain(`vm-${gated.metadata.uid}`);
    await client.patch(
      pods,
      { namespace: NS, name: 'gated' },
      { spec: { schedulingGates: null } },
      { type: 'merge' },
    );
    await untilPhase(client, NS, 'gated', 'Running');
    for (const name of ['gated', 'free']) await client.delete(pods, { namespace: NS, name });
  }, 120_000);
});

describe('log routing', () => {
  const routed = async (name: string) => {
    await product.client.create(pods, podIn(NS, name));
    const pod = await untilPhase(product.client, NS, name, 'Running');
    // Of this pod, and of none before it under its name.
    const told = await until(
      async () =>
        (await product.client.list(events, { namespace: NS })).find(
          ({ reason, involvedObject }) =>
            reason?.startsWith('Logging') && involvedObject.uid === pod.metadata.uid,
        ),
      { limitMs: 30_000, what: `the event about the logs of ${name}` },
    );
    await product.client.delete(pods, { namespace: NS, name });
    return { annotation: pod.metadata.annotations?.['Logging'], event: told };
  };

  it('is off without its configuration, and the pod says so in the words of the original', async () => {
    const { annotation, event } = await routed('unrouted');
    expect(annotation).toBe('LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND');
    expect(event).toMatchObject({
      type: 'Warning',
      reason: 'LoggingDisabled',
      message:
        'Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found',
      source: { component: 'fargate-scheduler' },
    });
  });

  it('says what is wrong with its configuration, and does not seem to be on where nothing is', async () => {
    const { client } = product;
    const at = { namespace: 'aws-observability', name: 'aws-logging' };
    const labels = { 'aws-observability': 'enabled' };
    await client.create(namespaces, { metadata: { name: at.namespace, labels } });
    await client.create(configMaps, { metadata: at, data: {} });
    const says = (annotation: string) =>
      until(
        async () => {
          const told = await routed('configured');
          return told.annotation === `LoggingDisabled: ${annotation}` ? told : undefined;
        },
        { limitMs: 60_000, what: 'the scheduler to see the configuration' },
      );
    expect((await says('LOGGING_CONFIGMAP_INVALID')).event.message).toBe(
      'Disabled logging for pod due to invalid configmap. output.conf must have at least one OUTPUT. Please fix the logging configmap',
    );
    const data = { 'output.conf': '[OUTPUT]\n  Name es\n  Match *' };
    await client.patch(configMaps, at, { data }, { type: 'merge' });
    await says('NOT_SUPPORTED');
  }, 120_000);
});

describe('the role of a service account', () => {
  const VARIABLES = [
    'AWS_STS_REGIONAL_ENDPOINTS',
    'AWS_DEFAULT_REGION',
    'AWS_REGION',
    'AWS_ROLE_ARN',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
  ];
  const variables = async (name: string): Promise<readonly string[]> => {
    const pod = await product.client.create(pods, podIn(NS, name, { serviceAccountName: 'reader' }));
    await product.client.delete(pods, { namespace: NS, name }, { gracePeriodSeconds: 0 });
    return (pod.spec.containers[0]?.env ?? []).map((one) => one.name);
  };

  it('reaches the pod with the first one that uses it', async () => {
    await product.client.create(serviceAccounts, {
      metadata: {
        namespace: NS,
        name: 'reader',
        annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::111122223333:role/reader' },
      },
    });
    expect(await variables('first')).toEqual(VARIABLES);
  });

  it('is left to the upstream webhook where that is installed', async () => {
    const { client } = product;
    const upstream = { metadata: { name: 'pod-identity-webhook' }, webhooks: [] };
    await client.create(mutatingWebhookConfigurations, upstream);
    await until(async () => (await variables('theirs')).length === 0, {
      limitMs: 30_000,
      what: 'us to be silent',
    });
    await client.delete(mutatingWebhookConfigurations, upstream.metadata);
    await until(async () => (await variables('ours')).length > 0, {
      limitMs: 30_000,
      what: 'us to speak again',
    });
  }, 90_000);
});

describe('a container that is added to a running pod', () => {
  const add = (name: string, container: object): Promise<Pod> =>
    product.client.patch(
      pods,
      { namespace: NS, name },
      { spec: { ephemeralContainers: [{ image: 'i', ...container }] } },
      { type: 'strategic', subresource: 'ephemeralcontainers' },
    );

  it('follows the rules of all others, whatever becomes of the labels', async () => {
    const { client } = product;
    await client.create(pods, podIn(NS, 'debugged'));
    await untilPhase(client, NS, 'debugged', 'Running');
    const root = { name: 'root', securityContext: { privileged: true } };
    const refused = 'invalid SecurityContext fields: Privileged';
    await expect(add('debugged', root)).rejects.toThrow(refused);
    const unlabelled = { metadata: { labels: { 'eks.amazonaws.com/fargate-profile': null } } };
    await client.patch(pods, { namespace: NS, name: 'debugged' }, unlabelled, { type: 'merge' });
    await expect(add('debugged', root)).rejects.toThrow(refused);
    expect((await add('debugged', { name: 'plain' })).spec.ephemeralContainers).toHaveLength(1);
    const allowing = { spec: { policy: { privileged: true } } };
    await client.patch(fargateProfiles, { name: NS }, allowing, { type: 'merge' });
    await until(() => add('debugged', root), { limitMs: 30_000, what: 'the policy to allow it' });
    await client.patch(fargateProfiles, { name: NS }, { spec: { policy: null } }, { type: 'merge' });
    await client.delete(pods, { namespace: NS, name: 'debugged' });
  }, 120_000);

  it('is no business of ours elsewhere', async () => {
    const { client } = product;
    await client.create(pods, podIn('default', 'elsewhere'));
    const patch = {
      spec: { ephemeralContainers: [{ name: 'root', image: 'i', securityContext: { privileged: true } }] },
    };
    const key = { namespace: 'default', name: 'elsewhere' };
    await client.patch(pods, key, patch, { type: 'strategic', subresource: 'ephemeralcontainers' });
    await client.delete(pods, key, { gracePeriodSeconds: 0 });
  });
});

describe('a pod that is to be resized in place', () => {
  /** Waits for a claim that nobody makes. */
  const create = (key: { namespace: string; name: string }): Promise<Pod> => {
    const resources = { requests: { cpu: '250m' } };
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'none' } }];
    const spec = { containers: [{ name: 'c', image: 'i', resources }], volumes };
    return product.client.create(pods, podIn(key.namespace, key.name, spec));
  };
  const resize = (key: { namespace: string; name: string }): Promise<Pod> => {
    const patch = { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] } };
    return product.client.patch(pods, key, patch, { type: 'strategic', subresource: 'resize' });
  };

  it('stays as it is', async () => {
    const key = { namespace: NS, name: 'resized' };
    await create(key);
    await expect(resize(key)).rejects.toThrow(
      'pods on Fargate cannot be resized in place; make the pod anew with other requests',
    );
    await product.client.delete(pods, key, { gracePeriodSeconds: 0 });
  });

  it('is no business of ours elsewhere', async () => {
    const key = { namespace: 'default', name: 'resized' };
    await create(key);
    expect((await resize(key)).spec.containers[0]?.resources?.requests).toEqual({ cpu: '1' });
    await product.client.delete(pods, key, { gracePeriodSeconds: 0 });
  });
});

describe('a pod that got onto our node all the same', () => {
  it('ends as the kubelet of the original would end it', async () => {
    const { client } = product;
    await client.create(pods, podIn(NS, 'owner'));
    const { spec } = await untilPhase(client, NS, 'owner', 'Running');
    const name = 'bindings.nodes.cloister.dev';
    const guard = await client.get(validatingAdmissionPolicyBindings, { name });
    await client.delete(validatingAdmissionPolicyBindings, { name });
    const intruder = podIn('default', 'intruder', { hostPID: true, tolerations: [{ operator: 'Exists' }] });
    await client.create(pods, intruder);
    const target = { apiVersion: 'v1', kind: 'Node', name: spec.nodeName ?? '' };
    const binding = { metadata: { namespace: 'default', name: 'intruder' }, target };
    await until(
      () => client.create(pods, binding, { subresource: 'binding', namespace: 'default', name: 'intruder' }),
      {
        limitMs: 30_000,
        what: 'the guard to be off',
      },
    );
    const failed = await untilPhase(client, 'default', 'intruder', 'Failed');
    expect(failed.status).toMatchObject({
      reason: 'UnsupportedPodSpec',
      message: 'Pod not supported: SchedulerName is not fargate-scheduler, fields not supported: HostPID',
    });
    expect(
      (await client.get(nodes, { name: spec.nodeName ?? '' })).metadata.deletionTimestamp,
    ).toBeUndefined();
    expect((await read('owner')).status?.phase).toBe('Running');
    const { metadata, ...rest } = guard;
    await client.create(validatingAdmissionPolicyBindings, {
      ...rest,
      metadata: { name: metadata.name ?? '' },
    });
    await client.delete(pods, { namespace: 'default', name: 'intruder' }, { gracePeriodSeconds: 0 });
    await client.delete(pods, { namespace: NS, name: 'owner' });
  }, 120_000);
});

describe('a profile', () => {
  it('cannot name a public subnet', async () => {
    const { client } = product;
    const api = 'cloister.dev/v1alpha1' as const;
    await client.create(subnets, {
      apiVersion: api,
      kind: 'Subnet',
      metadata: { name: 'open' },
      spec: { cidr: '10.9.0.0/24', zone: 'local-1a', type: 'public' },
    });
    const make = () =>
      client.create(fargateProfiles, {
        apiVersion: api,
        kind: 'FargateProfile',
        metadata: { name: 'public' },
        spec: { selectors: [{ namespace: 'public' }], subnets: ['open'] },
      });
    await until(
      async () => {
        const message = await make().then(
          () => 'made',
          (cause: Error) => cause.message,
        );
        return message.includes('Subnet open provided in Fargate Profile is not a private subnet');
      },
      { limitMs: 30_000, what: 'the profile to be refused with the text of the original' },
    );
  }, 60_000);
});
