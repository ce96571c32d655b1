import { describe, expect, it } from 'vitest';
import {
  type ClusterView,
  type ExistingProfile,
  type ProfileStatus,
  profileStatus,
  refuseCreate,
  refuseDelete,
  refuseUpdate,
} from './create.ts';
import { errorBody, membersOf } from './errors.ts';

const ROLE = 'arn:aws:iam::111122223333:role/pods';
const SELECTORS = [{ namespace: 'n' }];
const GOOD = { podExecutionRoleArn: ROLE, selectors: [{ namespace: 'n' }] };

const existing = (name: string, status?: ProfileStatus, deletionTimestamp?: string): ExistingProfile => ({
  metadata: { name, deletionTimestamp },
  spec: { selectors: SELECTORS },
  status: status && { status, selectors: SELECTORS },
});
const ACCOUNT = { partition: 'aws', region: 'local-1', account: '111122223333' };

const cluster = (more: Partial<ClusterView> = {}): ClusterView => ({
  name: 'c',
  status: 'ACTIVE',
  account: ACCOUNT,
  roles: [],
  profiles: [],
  subnets: [
    { metadata: { name: 'a' }, spec: { cidr: '10.0.0.0/24', zone: 'z1', type: 'private' } },
    { metadata: { name: 'p' }, spec: { cidr: '10.0.1.0/24', zone: 'z1', type: 'public' } },
  ],
  places: {},
  limits: { profiles: 3, selectors: 5, labels: 5 },
  oneAtATime: true,
  ...more,
});

describe('profileStatus', () => {
  it.each<[ProfileStatus | undefined, string | undefined, ProfileStatus]>([
    [undefined, undefined, 'CREATING'],
    ['ACTIVE', undefined, 'ACTIVE'],
    ['ACTIVE', '2026-01-01T00:00:00Z', 'DELETING'],
    [undefined, '2026-01-01T00:00:00Z', 'DELETING'],
    ['DELETE_FAILED', '2026-01-01T00:00:00Z', 'DELETE_FAILED'],
  ])('told %s, deleted %s: %s', (told, deleted, expected) => {
    expect(profileStatus(existing('x', told, deleted))).toBe(expected);
  });

  it('is CREATING again while changed selectors are not live yet', () => {
    const changed = { ...existing('x', 'ACTIVE'), spec: { selectors: [{ namespace: 'other' }] } };
    expect(profileStatus(changed)).toBe('CREATING');
  });
});

describe('refuseCreate', () => {
  it('lets a good profile through', () => {
    expect(refuseCreate('new', GOOD, cluster())).toBeUndefined();
    expect(refuseCreate('new', { ...GOOD, subnets: ['a'] }, cluster())).toBeUndefined();
  });

  it('looks at the name, whether it is free, the cluster, the parameters, other changes and the quota, in this order', () => {
    const three = [existing('x', 'ACTIVE'), existing('y', 'ACTIVE'), existing('z', 'CREATING')];
    const worst = cluster({ profiles: three, status: 'UPDATING' });
    const ask = (name: string, input: object, view: ClusterView) => refuseCreate(name, input, view)?.message;
    expect(ask('eks-x', {}, worst)).toMatch(/reserved/);
    expect(ask('x', {}, worst)).toMatch(/already exists/);
    expect(ask('new', {}, worst)).toBe("Cluster 'c' is not in ACTIVE status");
    const ready = { ...worst, status: 'ACTIVE' } as const;
    expect(ask('new', {}, ready)).toBe('Fargate Profile requires at least one selector.');
    expect(ask('new', { selectors: GOOD.selectors }, ready)).toMatch(/podExecutionRoleArn/);
    expect(ask('new', { ...GOOD, subnets: ['p'] }, ready)).toMatch(/is not a private subnet/);
    expect(ask('new', { ...GOOD, tags: { 'aws:x': '' } }, ready)).toMatch(/reserved/);
    expect(ask('new', GOOD, ready)).toBe(
      'Cannot create Fargate Profile new because cluster c currently has Fargate profile z in status CREATING',
    );
    expect(refuseCreate('new', GOOD, { ...ready, oneAtATime: false })?.type).toBe(
      'ResourceLimitExceededException',
    );
  });

  it.each([
    ['us-gov-east-1', {}, 'Fargate Profile creation in the Region us-gov-east-1 is not supported'],
    ['us-gov-west-1', { regions: ['us-gov-west-1'] }, undefined],
    [
      'eu-west-1',
      { regions: ['local-1'] },
      'Fargate Profile creation in the Region eu-west-1 is not supported',
    ],
    [
      'local-1',
      { zones: ['z2'] },
      'Fargate Profile creation for the Availability Zone z1 for Subnet a is not supported',
    ],
  ])('region %s with %j', (region, places, message) => {
    const refusal = refuseCreate(
      'new',
      { ...GOOD, subnets: ['a'] },
      cluster({ account: { ...ACCOUNT, region }, places }),
    );
    expect(refusal?.message).toBe(message);
  });
});

describe('a cluster that is not ACTIVE', () => {
  const refusal = {
    type: 'InvalidRequestException',
    message: "Cluster 'c' is not in ACTIVE status",
    members: { clusterName: 'c' },
  };
  it.each(['CREATING', 'DELETING', 'FAILED', 'UPDATING', 'PENDING'] as const)('but %s', (status) => {
    const view = cluster({ status, profiles: [existing('x', 'ACTIVE')] });
    expect(refuseCreate('new', GOOD, view)).toEqual(refusal);
    expect(refuseUpdate('x', GOOD, view)).toEqual(refusal);
  });
});

describe('a role that does not trust the service', () => {
  const roles = [{ metadata: { name: 'o' }, spec: { arn: `${ROLE}-2`, assumeRolePolicyDocument: {} } }];
  const message =
    'Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal';

  it('is refused at creation, and when a profile changes to it, but not when it stays', () => {
    const spec = { selectors: SELECTORS, podExecutionRoleArn: ROLE };
    const stays: ExistingProfile = { metadata: { name: 'x' }, spec, status: { status: 'ACTIVE', ...spec } };
    const view = cluster({ roles, profiles: [stays, existing('y', 'ACTIVE')] });
    const refusal = { type: 'InvalidParameterException', message };
    expect(refuseCreate('new', GOOD, view)).toMatchObject(refusal);
    expect(refuseUpdate('y', GOOD, view)).toMatchObject(refusal);
    expect(refuseUpdate('x', GOOD, view)).toBeUndefined();
  });
});

describe('refuseDelete and refuseUpdate', () => {
  it('want the profile to exist and others to be at rest', () => {
    const busy = cluster({ profiles: [existing('x', 'ACTIVE'), existing('y', 'ACTIVE', 'now')] });
    expect(refuseDelete('none', busy)?.type).toBe('ResourceNotFoundException');
    expect(refuseDelete('x', busy)?.message).toBe(
      'Cannot delete Fargate Profile x because cluster c currently has Fargate profile y in status DELETING',
    );
    expect(refuseDelete('y', busy)).toBeUndefined();
    expect(refuseUpdate('y', GOOD, busy)?.type).toBe('ResourceInUseException');
    expect(refuseUpdate('x', GOOD, busy)).toBeUndefined();
    expect(refuseUpdate('x', { ...GOOD, selectors: [] }, busy)?.type).toBe('InvalidParameterException');
  });
});

describe('subnets of a profile that is updated', () => {
  const spec = { selectors: SELECTORS, podExecutionRoleArn: ROLE, subnets: ['gone'] };
  const view = cluster({
    profiles: [{ metadata: { name: 'x' }, spec, status: { status: 'ACTIVE', ...spec } }],
  });

  it.each([
    ['that stay, although one is gone', ['gone'], undefined],
    ['that change', ['gone', 'a'], 'Subnet gone provided in Fargate Profile does not exist'],
    ['that change to a public one', ['p'], 'Subnet p provided in Fargate Profile is not a private subnet'],
    ['that change to ones that are there', ['a'], undefined],
  ])('%s', (_, subnets, message) => {
    expect(refuseUpdate('x', { ...GOOD, subnets }, view)?.message).toBe(message);
  });
});

describe('errorBody', () => {
  it('has every member of its type, null where not set, and no other', () => {
    const refusal = {
      type: 'ResourceInUseException',
      message: 'm',
      members: { clusterName: 'c', fargateProfileName: 'left out' },
    } as const;
    expect(errorBody(refusal)).toEqual({
      clusterName: 'c',
      nodegroupName: null,
      addonName: null,
      message: 'm',
    });
    expect(membersOf('BadRequestException')).toEqual([]);
  });
});
