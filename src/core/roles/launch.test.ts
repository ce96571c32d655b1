import { expect, it } from 'vitest';
import { checkTrust, type LaunchRoles, roleProblem } from './launch.ts';
import { NODE_MAPPING } from './mapping.ts';

const ROLE = 'arn:aws:iam::111122223333:role/pods';
const trust = (source: string) => ({
  Version: '2012-10-17',
  Statement: {
    Effect: 'Allow',
    Principal: { Service: 'eks-fargate-pods.amazonaws.com' },
    Action: 'sts:AssumeRole',
    Condition: { ArnLike: { 'aws:SourceArn': `arn:aws:eks:local-1:111122223333:${source}` } },
  },
});
const role = (name: string, source = 'fargateprofile/c/*', arn = ROLE) => ({
  metadata: { name },
  spec: { arn, assumeRolePolicyDocument: trust(source) },
});
const facts = (more: Partial<LaunchRoles>): LaunchRoles => ({
  roles: [],
  account: { partition: 'aws', region: 'local-1', account: '111122223333' },
  cluster: 'c',
  mapRoles: [{ rolearn: ROLE, ...NODE_MAPPING }],
  ...more,
});
const profile = (podExecutionRoleArn?: string) => ({
  metadata: { name: 'apps', uid: '0f0e0d0c-0000-4000-8000-000000000001' },
  spec: podExecutionRoleArn === undefined ? {} : { podExecutionRoleArn },
});

const NOT_TRUSTED =
  'Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal';
const NOT_ASSUMED =
  'Misconfigured Fargate Profile: fargate profile apps blocked for new launches due to: Failed to assume PodExecutionRole; Please make sure the role exists and trusts the eks-fargate-pods.amazonaws.com service principal';
const NOT_MAPPED =
  'Misconfigured Fargate Profile: fargate profile apps blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods.';

it.each<[string, Partial<LaunchRoles>, string | undefined, string | undefined]>([
  ['where nobody tells of roles', {}, undefined, undefined],
  ['that trusts profiles of the cluster', { roles: [role('pods')] }, undefined, undefined],
  [
    'that trusts the profile alone',
    { roles: [role('pods', 'fargateprofile/c/apps/*')] },
    undefined,
    undefined,
  ],
  ['that trusts another cluster', { roles: [role('pods', 'fargateprofile/d/*')] }, NOT_TRUSTED, NOT_ASSUMED],
  ['that trusts the cluster’s own ARN', { roles: [role('pods', 'cluster/c')] }, NOT_TRUSTED, NOT_ASSUMED],
  [
    'that is not there beside another',
    { roles: [role('other', 'fargateprofile/c/*', `${ROLE}-2`)] },
    NOT_TRUSTED,
    NOT_ASSUMED,
  ],
  ['that two objects disagree about', { roles: [role('a'), role('b', 'x')] }, NOT_TRUSTED, NOT_ASSUMED],
  ['that is not mapped', { mapRoles: [] }, undefined, NOT_MAPPED],
  ['that nobody knows the mapping of', { mapRoles: undefined }, undefined, undefined],
  ['that is neither trusted nor mapped', { roles: [role('a', 'x')], mapRoles: [] }, NOT_TRUSTED, NOT_ASSUMED],
])('a role %s', (_, more, atCreation, atLaunch) => {
  expect(checkTrust(ROLE, { name: 'apps' }, facts(more))).toBe(atCreation);
  expect(roleProblem(profile(ROLE), facts(more))?.message).toBe(atLaunch);
});

it('is of no matter to a profile without one', () => {
  expect(roleProblem(profile(), facts({ roles: [role('a', 'x')], mapRoles: [] }))).toBeUndefined();
});

it('says what people can mend', () => {
  expect(roleProblem(profile(ROLE), facts({ roles: [role('b', 'cluster/c')] }))?.because).toBe(
    'PodExecutionRole b: no statement of its trust policy allows it: Condition ArnLike aws:SourceArn of statement 1 does not fit',
  );
  const others = 'no statement of its trust policy allows it: Condition ArnLike aws:SourceArn of statement 1';
  expect(roleProblem(profile(ROLE), facts({ roles: [role('b', 'x'), role('c', 'y')] }))?.because).toBe(
    `PodExecutionRole b: ${others} does not fit; PodExecutionRole c: ${others} does not fit`,
  );
  expect(roleProblem(profile(`${ROLE}-2`), facts({ roles: [role('b')] }))?.because).toBe(
    `there is no PodExecutionRole with the ARN ${ROLE}-2`,
  );
});
