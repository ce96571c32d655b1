import { describe, expect, it } from 'vitest';
import type { Pod } from '../pod.ts';
import { NODE_MAPPING } from '../roles/mapping.ts';
import { findingsOf, type Patient } from './findings.ts';

const subnet = (name: string, cidr: string, type: 'private' | 'public' = 'private') => ({
  metadata: { name },
  spec: { cidr, zone: 'z1', type },
});

const pod = (name: string, annotations: Record<string, string> = {}, message?: string): Pod => ({
  metadata: { namespace: 'shop', name, annotations },
  spec: { containers: [] },
  ...(message && { status: { conditions: [{ type: 'PodScheduled', status: 'False', message }] } }),
});

const policy = (name: string, podSelector: object | null, ...groupIds: string[]) => ({
  metadata: { namespace: 'shop', name },
  spec: { podSelector, securityGroups: { groupIds } },
});

const CIDRS = ['10.42.0.0/16'];

const ROLE = 'arn:aws:iam::111122223333:role/pods';
const POLICY = {
  Statement: {
    Effect: 'Allow',
    Principal: { Service: 'eks-fargate-pods.amazonaws.com' },
    Action: 'sts:AssumeRole',
  },
};
const role = (arn: string) => ({
  metadata: { name: 'pods' },
  spec: { arn, assumeRolePolicyDocument: POLICY },
});
const roles = {
  account: { partition: 'aws', region: 'local-1', account: '111122223333' },
  cluster: 'c',
  roles: [role(ROLE)],
  mapRoles: [{ rolearn: ROLE, ...NODE_MAPPING }],
};

/** A cluster in which nothing is wrong. */
const healthy: Patient = {
  network: { spec: { cidrs: CIDRS, clusterSecurityGroup: 'sg-cluster' } },
  places: { cidrs: CIDRS },
  profiles: [{ metadata: { name: 'shop' }, spec: { subnets: ['a'], podExecutionRoleArn: ROLE } }],
  roles,
  subnets: [subnet('a', '10.42.0.0/28'), subnet('edge', '10.42.9.0/24', 'public')],
  occupancy: { inUse: () => 10 },
  groupExists: (name) => name !== 'sg-gone',
  groupPolicies: [policy('web', {}, 'sg-web')],
  lacks: (groups) => (groups.includes('sg-narrow') ? ['API server: no rule'] : []),
  pods: [pod('web', { 'fargate.amazonaws.com/pod-sg': 'sg-web' }), pod('plain')],
  webhooksAnswer: true,
  droppedUplink: undefined,
};

const narrow = (name: string) => pod(name, { 'fargate.amazonaws.com/pod-sg': 'sg-narrow' });

describe('a doctor', () => {
  it('finds nothing wrong with a healthy cluster', () => {
    expect(findingsOf(healthy)).toEqual([]);
    expect(findingsOf({ ...healthy, webhooksAnswer: undefined })).toEqual([]);
  });

  it.each<[string, Partial<Patient>, string, RegExp, RegExp]>([
    ['NetworkMissing', { network: undefined }, 'network/cluster', /there is no Network/, /apply a Network/],
    [
      'DnsOff',
      { network: { spec: { cidrs: CIDRS, clusterSecurityGroup: 'sg', dnsHostnames: false } } },
      'network/cluster',
      /^dnsHostnames off/,
      /^kubectl patch network cluster .*"dnsHostnames":true/,
    ],
    [
      'AccountBlocked',
      { accountBlocked: true },
      'configmap/cloister-system/cloister-facts',
      /no pod is launched/,
      /take accountBlocked out/,
    ],
    [
      'RoleNotMapped',
      { roles: { ...roles, mapRoles: [] } },
      'fargateprofile/shop',
      /^Misconfigured Fargate Profile: fargate profile shop .* auth config/,
      /configmap aws-auth/,
    ],
    [
      'RoleNotTrusting',
      { roles: { ...roles, roles: [role(`${ROLE}-2`)] } },
      'fargateprofile/shop',
      /^there is no PodExecutionRole with the ARN/,
      /^correct the PodExecutionRole/,
    ],
    [
      'ClusterGroupMissing',
      { network: { spec: { cidrs: CIDRS, clusterSecurityGroup: 'sg-gone' } } },
      'network/cluster',
      /security group sg-gone does not exist/,
      /create SecurityGroup sg-gone/,
    ],
    [
      'ProfileWithoutSubnet',
      { profiles: [{ metadata: { name: 'shop' }, spec: { subnets: ['edge'] } }] },
      'fargateprofile/shop',
      /Subnet edge provided in Fargate Profile is not a private subnet/,
      /private Subnet/,
    ],
    [
      'SubnetUnusable',
      { profiles: [{ metadata: { name: 'shop' }, spec: { subnets: ['a', 'nowhere'] } }] },
      'fargateprofile/shop',
      /Subnet nowhere provided in Fargate Profile does not exist/,
      /take it out/,
    ],
    [
      'SubnetOutside',
      { subnets: [...healthy.subnets, subnet('far', '10.43.0.0/24')] },
      'subnet/far',
      /lies in none of the network's CIDRs: 10.42.0.0\/16/,
      /"value":"10.43.0.0\/24"/,
    ],
    ['SubnetExhausted', { occupancy: { inUse: () => 11 } }, 'subnet/a', /all 11 addresses/, /secondary CIDR/],
    [
      'GroupMissing',
      { groupPolicies: [policy('web', {}, 'sg-web', 'sg-gone')] },
      'securitygrouppolicy/shop/web',
      /names SecurityGroup sg-gone, which does not exist/,
      /create SecurityGroup sg-gone/,
    ],
    [
      'PolicyIgnored',
      { groupPolicies: [policy('idle', null, 'sg-web')] },
      'securitygrouppolicy/shop/idle',
      /does nothing/,
      /selector/,
    ],
    [
      'GroupsLack',
      { pods: [narrow('one'), narrow('two')] },
      'pod/shop/two',
      /its security groups lack API server: no rule/,
      /add the rule/,
    ],
    [
      'PodPending',
      { pods: [pod('late', {}, 'No free address')] },
      'pod/shop/late',
      /^No free address$/,
      /^cloister why pod\/late -n shop$/,
    ],
    [
      'WebhooksAway',
      { webhooksAnswer: false },
      'validatingwebhookconfiguration/profiles.cloister.dev',
      /cannot call the webhooks/,
      /start the controller/,
    ],
    [
      'ForwardDropped',
      { droppedUplink: 'clo1' },
      'interface/clo1',
      /FORWARD policy DROP/,
      /-i clo1 -j ACCEPT/,
    ],
  ])('finds %s', (code, change, about, problem, remedy) => {
    expect(findingsOf({ ...healthy, ...change })).toEqual([
      {
        code,
        about,
        problem: expect.stringMatching(problem),
        remedy: expect.stringMatching(remedy),
      },
    ]);
  });
});
