import { expect, it } from 'vitest';
import { groupOf, groupProblems } from './groups.ts';
import { unheededOfBackend, unheededOfIngress, unheededOfService } from './unheeded.ts';

const ALB = 'alb.ingress.kubernetes.io/';
const NLB = 'service.beta.kubernetes.io/aws-load-balancer-';

const annotated = (prefix: string, values: Record<string, string>) => ({
  metadata: {
    ...{ namespace: 'shop', name: 'web' },
    annotations: Object.fromEntries(Object.entries(values).map(([key, text]) => [`${prefix}${key}`, text])),
  },
});

const ingress = (values: Record<string, string>) => annotated(ALB, values);
const service = (values: Record<string, string>, spec = {}) => ({ ...annotated(NLB, values), spec });

it('says in one sentence what has no effect, and why', () => {
  const asked = { scheme: 'internet-facing', tags: 'a=b', helthcheck: 'x', 'target-type': 'ip' };
  expect(unheededOfIngress(ingress(asked))).toEqual([
    {
      origin: { kind: 'Ingress', namespace: 'shop', name: 'web' },
      harmless: true,
      message: `this has no effect here: ${ALB}helthcheck, ${ALB}scheme (addresses are of the cluster's own network), ${ALB}tags. Everything else of it is served; remove what no other cluster needs`,
    },
  ]);
});

it.each([
  ['nothing', unheededOfService(service({}))],
  ['what is followed', unheededOfService(service({ type: 'external', 'proxy-protocol': '*' }))],
  ['what is so anyway', unheededOfService(service({ scheme: 'internal', internal: 'True' }))],
  ['actions and conditions', unheededOfIngress(ingress({ 'actions.x': '{}', 'conditions.y': '[]' }))],
  ['annotations of others', unheededOfIngress(annotated('nginx.ingress.kubernetes.io/', { x: 'y' }))],
  ['annotations of the Service for itself', unheededOfBackend(service({ name: 'x' }))],
  ['an affinity to nobody', unheededOfService(service({}, { sessionAffinity: 'None' }))],
])('is silent about %s', (_name, problems) => {
  expect(problems).toEqual([]);
});

it.each([
  ['an affinity', unheededOfService(service({}, { sessionAffinity: 'ClientIP' })), 'spec.sessionAffinity'],
  ['an address', unheededOfService(service({}, { loadBalancerIP: '10.42.2.9' })), 'spec.loadBalancerIP'],
  ['a scheme', unheededOfService(service({ scheme: 'internet-facing' })), `${NLB}scheme`],
  ['a backend', unheededOfBackend(annotated(ALB, { 'waf-acl-id': 'x' })), `${ALB}waf-acl-id`],
])('tells of %s', (_name, problems, part) => {
  expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining(part)]);
});

it.each([
  [{ 'group.name': 'my-team.a', 'group.order': '-1000' }, 'my-team.a', 0],
  [{ 'group.name': '' }, undefined, 1],
  [{ 'group.name': 'My_Team' }, undefined, 1],
  [{ 'group.name': 'a'.repeat(64) }, undefined, 1],
  [{ 'group.order': '1001' }, undefined, 1],
  [{ 'group.order': 'first' }, undefined, 1],
])('with %j is in the group %s', (values, group, count) => {
  const one = ingress(values as Record<string, string>);
  expect([groupOf(one), groupProblems(one).length]).toEqual([group, count]);
});
