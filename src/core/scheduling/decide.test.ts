import { describe, expect, it } from 'vitest';
import { type ExistingMachine, Occupancy } from '../placement/occupancy.ts';
import type { Pod } from '../pod.ts';
import { Matcher } from '../profile/match.ts';
import type { ExecutionRole } from '../roles/launch.ts';
import { NODE_MAPPING } from '../roles/mapping.ts';
import { decide, type Refusal, type SchedulingProfile, type Situation } from './decide.ts';

const pod = (over: { labels?: Record<string, string>; spec?: Partial<Pod['spec']> } = {}): Pod => ({
  metadata: {
    namespace: 'apps',
    name: 'web',
    uid: '0f0e0d0c-0000-4000-8000-000000000001',
    labels: { 'eks.amazonaws.com/fargate-profile': 'apps', ...over.labels },
  },
  spec: {
    schedulerName: 'fargate-scheduler',
    containers: [{ name: 'web', resources: { requests: { cpu: '250m', memory: '256Mi' } } }],
    ...over.spec,
  },
});

const profiles = (...list: readonly SchedulingProfile[]) => new Matcher(list);
const machines = (...list: readonly ExistingMachine[]) =>
  new Occupancy(list.map((one) => [one.placement.address, one]));

const small: Situation = {
  pod: pod(),
  profiles: profiles({ metadata: { name: 'apps' }, spec: { selectors: [{ namespace: 'apps' }] } }),
  subnets: [{ metadata: { name: 'a' }, spec: { cidr: '10.0.0.0/28', zone: 'z1', type: 'private' } }],
  occupancy: machines(),
  capacity: { memoryMiB: 4096, milliCpu: 4000 },
  claims: { claim: () => undefined, volume: () => undefined },
  region: 'local-1',
};

const machine = (address: string, dead = false): ExistingMachine => ({
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet: 'a', zone: 'z1', region: 'local-1', address },
  dead,
});
/** All eleven addresses that a /28 gives. */
const full = (dead: boolean): ExistingMachine[] =>
  Array.from({ length: 11 }, (_, i) => machine(`10.0.0.${4 + i}`, dead));

describe('limits of the account', () => {
  it('keep a pod waiting at the vCPU quota, in the text of the original', () => {
    const occupancy = machines(machine('10.0.0.4'), machine('10.0.0.5', true));
    expect(decide({ ...small, occupancy, quotaMilliCpu: 500 })).toMatchObject({ runs: true });
    expect(decide({ ...small, occupancy, quotaMilliCpu: 499 })).toEqual({
      runs: false,
      reason: 'Unschedulable',
      message: 'Your AWS account has reached the limit on the number of Fargate pods it can run concurrently',
    });
  });

  it('keep all pods waiting while it is blocked, in the text of the original', () => {
    expect(decide({ ...small, accountBlocked: true, quotaMilliCpu: 0 })).toEqual({
      runs: false,
      reason: 'Unschedulable',
      message: 'Your AWS account is currently blocked and thus cannot launch any Fargate pods',
    });
    expect(decide({ ...small, accountBlocked: false })).toMatchObject({ runs: true });
  });

  it.each([
    ['us-gov-west-1', {}, 'Fargate is not supported in the requested region: us-gov-west-1'],
    ['local-1', { zones: ['z2'] }, 'The cluster has no private subnet'],
  ])('keep pods out of %s with %j', (region, places, message) => {
    expect(decide({ ...small, region, places })).toMatchObject({ runs: false, message });
  });

  it('keep pods waiting whose role is not mapped or cannot be taken, and no others', () => {
    const role = 'arn:aws:iam::111122223333:role/pods';
    const spec = { selectors: [{ namespace: 'apps' }], podExecutionRoleArn: role };
    const withRole = { ...small, profiles: profiles({ metadata: { name: 'apps' }, spec }) };
    const mapped = (names: readonly string[], roles: readonly ExecutionRole[] = []) => ({
      roles: {
        roles,
        account: { partition: 'aws', region: 'local-1', account: '111122223333' },
        cluster: 'c',
        mapRoles: names.map((rolearn) => ({ rolearn, ...NODE_MAPPING })),
      },
    });
    expect(decide({ ...withRole, ...mapped([role]) })).toMatchObject({ runs: true });
    expect(decide({ ...small, ...mapped([]) })).toMatchObject({ runs: true });
    expect(decide({ ...withRole, ...mapped([]) })).toEqual({
      runs: false,
      reason: 'Unschedulable',
      message:
        'Misconfigured Fargate Profile: fargate profile apps blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods.',
    });
    const other = { metadata: { name: 'o' }, spec: { arn: `${role}-2`, assumeRolePolicyDocument: {} } };
    expect(decide({ ...withRole, ...mapped([role], [other]) })).toEqual({
      runs: false,
      reason: 'Unschedulable',
      message:
        'Misconfigured Fargate Profile: fargate profile apps blocked for new launches due to: Failed to assume PodExecutionRole; Please make sure the role exists and trusts the eks-fargate-pods.amazonaws.com service principal',
      because: `there is no PodExecutionRole with the ARN ${role}`,
    });
  });

  it('name the zone that a profile may not use', () => {
    const named = profiles({
      metadata: { name: 'apps' },
      spec: { selectors: [{ namespace: 'apps' }], subnets: ['a'] },
    });
    expect(decide({ ...small, profiles: named, places: { zones: [] } })).toMatchObject({
      message: 'Fargate is not supported in the requested availability zone: z1',
    });
  });
});

describe('a pod that can run', () => {
  it('gets its profile, the smallest size, and an address of the subnet', () => {
    const verdict = decide(small);
    expect(verdict).toMatchObject({
      runs: true,
      profile: 'apps',
      size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
      placement: { subnet: 'a', zone: 'z1', region: 'local-1' },
    });
  });

  it('gets the one address that is left', () => {
    const others = full(true).filter(({ placement }) => placement.address !== '10.0.0.9');
    expect(decide({ ...small, occupancy: machines(...others) })).toMatchObject({
      placement: { address: '10.0.0.9' },
    });
  });

  it('gets the room that a dead machine no longer takes', () => {
    const capacity = { memoryMiB: 512, milliCpu: 250 };
    expect(decide({ ...small, capacity, occupancy: machines(machine('10.0.0.4', true)) }).runs).toBe(true);
    expect(decide({ ...small, capacity, occupancy: machines(machine('10.0.0.4')) }).runs).toBe(false);
  });
});

describe('a pod that cannot run says why', () => {
  const privileged = pod({ spec: { containers: [{ name: 'web', securityContext: { privileged: true } }] } });
  const huge = pod({
    spec: { containers: [{ name: 'web', resources: { requests: { memory: '120Gi', cpu: '16' } } }] },
  });
  const table: readonly (readonly [string, Partial<Situation>, Refusal['reason'], string])[] = [
    [
      'its profile is gone',
      { profiles: profiles() },
      'Unschedulable',
      'Fargate profile apps does not exist; create it, or delete the pod so that it is matched anew',
    ],
    [
      'its profile no longer matches',
      { profiles: profiles({ metadata: { name: 'apps' }, spec: { selectors: [{ namespace: 'other' }] } }) },
      'Unschedulable',
      'Fargate profile apps no longer matches the pod; delete the pod so that it is matched anew',
    ],
    [
      'it names our scheduler and opts out',
      {
        pod: {
          ...pod(),
          metadata: { ...pod().metadata, annotations: { 'eks.amazonaws.com/compute-type': 'ec2' } },
        },
      },
      'Unschedulable',
      'annotation eks.amazonaws.com/compute-type: ec2 keeps the pod off Fargate',
    ],
    [
      'a field is refused',
      { pod: privileged },
      'POD_UNSUPPORTED_ON_FARGATE',
      'Pod not supported on Fargate: invalid SecurityContext fields: Privileged',
    ],
    [
      'it is larger than every size',
      { pod: huge },
      'POD_CPU_MEM_EXCEEDS_MAX_FARGATE_SIZE',
      "Your pod's cpu/memory requirements exceed the max Fargate configuration",
    ],
    [
      'the hosts are full',
      { capacity: { memoryMiB: 600, milliCpu: 4000 }, occupancy: machines(machine('10.0.0.4')) },
      'Unschedulable',
      'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone',
    ],
    [
      'the subnets are full',
      { occupancy: machines(...full(true)) },
      'Unschedulable',
      "No free address in the Fargate profile's subnets: a",
    ],
    ['there is no subnet', { subnets: [] }, 'Unschedulable', 'The cluster has no private subnet'],
  ];
  it.each(table)('%s', (_name, difference, reason, message) => {
    expect(decide({ ...small, ...difference })).toEqual({ runs: false, reason, message });
  });

  it('and whether only claims are missing', () => {
    const claim = { name: 'v', persistentVolumeClaim: { claimName: 'data' } };
    const waits = pod({ spec: { volumes: [claim] } });
    const lasts = pod({ spec: { volumes: [claim], hostPID: true } });
    expect(decide({ ...small, pod: waits })).toMatchObject({ runs: false, claimsOnly: true });
    expect(decide({ ...small, pod: lasts })).not.toHaveProperty('claimsOnly');
  });
});

describe('a placed machine that could not join', () => {
  const grouped: Pod = {
    ...pod(),
    metadata: { ...pod().metadata, annotations: { 'fargate.amazonaws.com/pod-sg': 'sg-a,sg-b' } },
  };
  const network = (attributes: object) => ({
    spec: { cidrs: ['10.0.0.0/16'], clusterSecurityGroup: 'sg', ...attributes },
  });

  it('waits for the first group that does not exist, in the text of spec §6.1', () => {
    const missing = (groupExists: (name: string) => boolean) =>
      decide({ ...small, pod: grouped, groupExists });
    expect(missing(() => true)).toMatchObject({ runs: true });
    expect(missing((name) => name === 'sg-a')).toEqual({
      runs: false,
      reason: 'Unschedulable',
      message:
        "An error occurred (InvalidSecurityGroupID.NotFound) when calling the CreateNetworkInterface operation: The securityGroup ID 'sg-b' does not exist",
    });
  });

  it('has at most 5 groups, whoever wrote the annotation', () => {
    const annotations = { 'fargate.amazonaws.com/pod-sg': '1,2,3,4,5,6' };
    const many: Pod = { ...pod(), metadata: { ...pod().metadata, annotations } };
    expect(decide({ ...small, pod: many })).toMatchObject({
      runs: false,
      message: expect.stringContaining('at most 5 security groups'),
    });
  });

  it.each([
    [{}, true],
    [{ dnsSupport: false }, false],
    [{ dnsHostnames: false }, false],
    [{ dnsSupport: true, dnsHostnames: true }, true],
  ])('needs both DNS attributes: %j', (attributes, runs) => {
    const verdict = decide({ ...small, network: network(attributes) });
    expect(verdict.runs).toBe(runs);
    if (!verdict.runs)
      expect(verdict).toMatchObject({
        message: 'Pod provisioning timed out (will retry) for pod: apps/web',
        because: expect.stringContaining('of the network is off'),
      });
  });

  it.each([
    [['10.0.0.0/16'], true],
    [['10.1.0.0/16', '10.0.0.0/24'], true],
    [['10.1.0.0/16'], false],
  ])('has a subnet within one of %j', (cidrs, runs) => {
    expect(decide({ ...small, network: network({ cidrs }) }).runs).toBe(runs);
  });
});

describe('a subnet that the profile names', () => {
  it('is refused with the reason when it lies outside of the network', () => {
    const named = profiles({
      metadata: { name: 'apps' },
      spec: { selectors: [{ namespace: 'apps' }], subnets: ['a'] },
    });
    const spec = { cidrs: ['10.1.0.0/16', '10.2.0.0/16'], clusterSecurityGroup: 'sg' };
    expect(decide({ ...small, profiles: named, network: { spec } })).toMatchObject({
      message: "Subnet a (10.0.0.0/28) lies in none of the network's CIDRs: 10.1.0.0/16, 10.2.0.0/16",
    });
  });
});
