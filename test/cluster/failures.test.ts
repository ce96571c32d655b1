/** The failure catalogue of spec/fargate.md §11.4, row by row: what pods are told, by condition and by event. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_AUTH } from '../../src/api/aws-auth.ts';
import {
  configMaps,
  events,
  fargateProfiles,
  microVMs,
  podExecutionRoles,
  pods,
  subnets,
} from '../../src/api/resources.ts';
import { readFakeMachine, writeFakeMachine } from '../../src/compute/fake/provider.ts';
import { API_VERSION } from '../../src/core/names.ts';
import type { PodSpec } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { untilLive } from '../../src/tool/ready.ts';
import { ensureFargate, podIn, startProduct, type TestProduct, untilUsable } from '../support/product.ts';

/** Comes before the other profiles, all of which match its pods. */
const NS = 'cases';
/** Each limit can be met alone: with one small pod, 4 vCPU and 16 GB are too much memory, 8 vCPU too many. */
const VCPU_QUOTA = 8;
const CAPACITY = { memoryMiB: 16_384, milliCpu: 100_000 };
const ROLE = 'arn:aws:iam::111122223333:role/pods';

let product: TestProduct;

beforeAll(async () => {
  const limits = { accountBlocked: true, vcpuQuota: VCPU_QUOTA };
  product = await startProduct({ kubelets: false, eks: {}, capacity: CAPACITY, limits });
  await ensureFargate(product.client, NS);
  await createProfile('unmapped', { podExecutionRoleArn: ROLE });
  await createProfile('distrusted', { podExecutionRoleArn: `${ROLE}-2` });
  await createSubnet('edge', 'ca-central-1d');
  await createProfile('elsewhere', { subnets: ['edge'] });
}, 120_000);

afterAll(() => product?.stop(), 60_000);

/** Waits for the event of the scheduler that has this text. */
const announced = async (name: string, message: string): Promise<void> => {
  const event = await until(
    async () =>
      (await product.client.list(events, { namespace: NS })).find(
        (one) => one.involvedObject.name === name && one.message === message,
      ),
    { limitMs: 30_000, what: `pod ${name} to have the event: ${message}` },
  );
  expect(event).toMatchObject({
    type: 'Warning',
    reason: 'FailedScheduling',
    source: { component: 'fargate-scheduler' },
  });
};

/** Waits until a pod's condition has this text, and its event. */
const told = async (name: string, message: string, reason = 'Unschedulable'): Promise<void> => {
  const condition = await until(
    async () => {
      const { status } = await product.client.get(pods, { namespace: NS, name });
      return status?.conditions?.find((one) => one.type === 'PodScheduled' && one.message === message);
    },
    { limitMs: 30_000, what: `pod ${name} to be told: ${message}` },
  );
  expect(condition).toMatchObject({ status: 'False', reason });
  await announced(name, message);
};

const asking = (requests: Record<string, string>): Partial<PodSpec> => ({
  containers: [{ name: 'main', image: 'x', resources: { requests, limits: requests } }],
});

const createProfile = async (name: string, spec: { subnets?: string[]; podExecutionRoleArn?: string }) => {
  const { client } = product;
  await client.create(fargateProfiles, {
    apiVersion: API_VERSION,
    kind: 'FargateProfile',
    metadata: { name },
    spec: { selectors: [{ namespace: NS }], ...spec },
  });
  await untilLive(client, name);
};

const createSubnet = async (name: string, zone: string) => {
  await product.client.create(subnets, {
    apiVersion: API_VERSION,
    kind: 'Subnet',
    metadata: { name },
    spec: { cidr: '10.9.0.0/24', zone, type: 'private' },
  });
  await untilUsable(product.client, name, 'True');
};

/** A pod for the profile of its name. */
const createPod = (name: string, spec: Partial<PodSpec> = {}) => {
  const pod = podIn(NS, name, { ...podIn(NS, name).spec, ...spec });
  const labels = { 'eks.amazonaws.com/fargate-profile': name };
  return product.client.create(pods, { ...pod, metadata: { ...pod.metadata, labels } });
};

/** Keeps a pod from being placed before the scheduler has heard what the test has changed. */
const WITHOUT_CLAIM = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'none' } }] };

describe('a pod', { timeout: 60_000 }, () => {
  it('whose account is blocked is told so, and launched as soon as it is not', async () => {
    const { client } = product;
    const { metadata } = await client.create(pods, podIn(NS, 'blocked'));
    await told('blocked', 'Your AWS account is currently blocked and thus cannot launch any Fargate pods');
    await product.kill();
    product.limit({ vcpuQuota: VCPU_QUOTA });
    await product.start();
    const name = `vm-${metadata.uid}`;
    await until(async () => (await client.list(microVMs)).some((one) => one.metadata.name === name), {
      limitMs: 30_000,
      what: 'the same pod to get its machine',
    });
  });

  it('whose node did not join is told that it is tried again', async () => {
    const { uid } = (await product.client.get(pods, { namespace: NS, name: 'blocked' })).metadata;
    // Fed: from then on the product writes its file no more.
    const machine = await until(
      () => {
        const found = readFakeMachine(product.machines, `vm-${uid}`);
        return found?.seeded ? found : undefined;
      },
      { limitMs: 30_000, what: 'the machine to be launched and fed' },
    );
    writeFakeMachine(product.machines, { ...machine, state: 'dead', reason: 'its kernel panicked' });
    await announced('blocked', `Pod provisioning timed out (will retry) for pod: ${NS}/blocked`);
  });

  it.each<[string, Partial<PodSpec>, string, string]>([
    [
      'unsupported',
      { hostNetwork: true },
      'POD_UNSUPPORTED_ON_FARGATE',
      'Pod not supported on Fargate: fields not supported: HostNetwork',
    ],
    [
      'too-large',
      asking({ cpu: '16', memory: '120Gi' }),
      'POD_CPU_MEM_EXCEEDS_MAX_FARGATE_SIZE',
      "Your pod's cpu/memory requirements exceed the max Fargate configuration",
    ],
    [
      'without-capacity',
      asking({ cpu: '4', memory: '15Gi' }),
      'Unschedulable',
      'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone',
    ],
    [
      'beyond-the-quota',
      asking({ cpu: '8' }),
      'Unschedulable',
      'Your AWS account has reached the limit on the number of Fargate pods it can run concurrently',
    ],
  ])('that is %s is told so', async (name, spec, reason, message) => {
    await product.client.create(pods, podIn(NS, name, spec));
    await told(name, message, reason);
  });

  it('whose role is not mapped is told so', async () => {
    await createPod('unmapped', WITHOUT_CLAIM);
    await product.client.patch(configMaps, AWS_AUTH, { data: { mapRoles: '[]' } }, { type: 'merge' });
    await told(
      'unmapped',
      'Misconfigured Fargate Profile: fargate profile unmapped blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods.',
    );
  });

  it('whose role cannot be assumed is told so', async () => {
    const { client } = product;
    await createPod('distrusted', WITHOUT_CLAIM);
    await client.create(podExecutionRoles, {
      apiVersion: API_VERSION,
      kind: 'PodExecutionRole',
      metadata: { name: 'another' },
      spec: { arn: ROLE, assumeRolePolicyDocument: {} },
    });
    await told(
      'distrusted',
      'Misconfigured Fargate Profile: fargate profile distrusted blocked for new launches due to: Failed to assume PodExecutionRole; Please make sure the role exists and trusts the eks-fargate-pods.amazonaws.com service principal',
    );
    await client.delete(podExecutionRoles, { name: 'another' });
  });

  it('whose availability zone is not supported is told so', async () => {
    const { client } = product;
    await client.patch(subnets, { name: 'edge' }, { spec: { zoneType: 'outpost' } }, { type: 'merge' });
    await untilUsable(client, 'edge', 'False');
    await createPod('elsewhere');
    await told('elsewhere', 'Fargate is not supported in the requested availability zone: ca-central-1d');
  });
});
