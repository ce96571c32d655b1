/** Plans that nobody but files is asked for: policies, groups and what they lack. */
import { describe, expect, it } from 'vitest';
import type { Document } from './documents.ts';
import { planAll } from './plan.ts';
import { planText } from './plan-text.ts';
import { toldSurroundings } from './told-surroundings.ts';

const API = 'cloister.dev/v1alpha1';
const EVERYWHERE = { cidr: '0.0.0.0/0' };
const only = (port: number) => ({ from: port, to: port });

const policy = (name: string, groupIds: readonly string[], spec: object): Document => ({
  kind: 'SecurityGroupPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { ...spec, securityGroups: { groupIds } },
});

const CLUSTER: readonly Document[] = [
  { kind: 'FargateProfile', metadata: { name: 'shop' }, spec: { selectors: [{ namespace: 'shop' }] } },
  {
    apiVersion: API,
    kind: 'Network',
    metadata: { name: 'cluster' },
    spec: {
      cidrs: ['10.42.0.0/16'],
      resolvers: ['10.42.0.2'],
      clusterSecurityGroup: 'sg-cluster',
      node: {
        egress: [{ cidr: '10.42.0.2/32', protocol: 'tcp', ports: only(6443), description: 'API server' }],
        kubeletClients: [{ cidr: '10.42.0.2/32' }],
      },
    },
  },
  {
    kind: 'SecurityGroup',
    metadata: { name: 'sg-cluster' },
    spec: {
      ingress: [{ protocol: '-1', peers: [{ self: true }] }],
      egress: [{ protocol: '-1', peers: [EVERYWHERE] }],
      addresses: ['10.42.0.2/32'],
    },
  },
  {
    kind: 'SecurityGroup',
    metadata: { name: 'sg-web' },
    spec: { ingress: [{ protocol: 'tcp', ports: only(80), peers: [EVERYWHERE] }] },
  },
  policy('web', ['sg-web'], { podSelector: { matchLabels: { app: 'web' } } }),
  policy('broken', ['sg-gone'], { podSelector: { matchLabels: { app: 'broken' } } }),
  policy('readers', ['sg-web', 'sg-cluster'], {
    serviceAccountSelector: { matchLabels: { role: 'reader' } },
  }),
  policy('many', ['1', '2', '3', '4', '5', '6'], { podSelector: { matchLabels: { app: 'many' } } }),
  { kind: 'ServiceAccount', metadata: { name: 'reader', namespace: 'shop', labels: { role: 'reader' } } },
];

const planned = async (app: string, spec: object = {}) => {
  const pod: Document = {
    kind: 'Pod',
    metadata: { name: app, namespace: 'shop', labels: { app } },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  };
  const [plan] = await planAll([pod], toldSurroundings(CLUSTER), 'default', undefined);
  if (plan === undefined) throw new Error('the pod was not planned');
  return plan;
};

describe('an offline plan', () => {
  it('names the policies that match, their groups, and what these lack', async () => {
    const plan = await planned('web');
    expect(plan).toMatchObject({
      runs: true,
      groupPolicies: ['web'],
      securityGroups: ['sg-web'],
      groupLacks: [
        'API server: group sg-web has no egress rule for TCP 6443 to 10.42.0.2',
        'kubelet: group sg-web has no ingress rule for TCP 10250 from 10.42.0.2',
      ],
    });
    const text = planText({ ...plan, price: null, start: null });
    expect(text).toContain('groups     sg-web by SecurityGroupPolicy web\n');
    expect(text).toContain('lacks API server: group sg-web has no egress rule for TCP 6443 to 10.42.0.2\n');
  });

  it('knows service accounts', async () => {
    expect(await planned('api', { serviceAccountName: 'reader' })).toMatchObject({
      groupPolicies: ['readers'],
      securityGroups: ['sg-web', 'sg-cluster'],
      groupLacks: [],
    });
  });

  it('judges the cluster security group where no policy matches', async () => {
    expect(await planned('api')).toMatchObject({ runs: true, securityGroups: [], groupLacks: [] });
  });

  it('says which group does not exist', async () => {
    expect(await planned('broken')).toMatchObject({
      runs: false,
      message: expect.stringMatching(/InvalidSecurityGroupID.NotFound.*'sg-gone' does not exist$/),
      groupLacks: [],
    });
  });

  it('says that there are too many', async () => {
    expect(await planned('many')).toMatchObject({
      runs: false,
      message: expect.stringContaining('at most 5 security groups'),
      notes: expect.arrayContaining(['webhook mpod.vpc.k8s.aws refuses it at creation']),
    });
  });
});
