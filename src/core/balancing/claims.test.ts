import { describe, expect, it } from 'vitest';
import { backendTargetType, claimedClasses, ingressClaimed, ownerOf, serviceClaim } from './claims.ts';

const AWS = 'service.beta.kubernetes.io/aws-load-balancer-';
const ALB = 'alb.ingress.kubernetes.io/';

const service = (spec: object, annotations: Record<string, string> = {}) => ({
  metadata: { namespace: 'shop', name: 'web', annotations },
  spec,
});

describe('a Service', () => {
  const LB = { type: 'LoadBalancer' };
  const CLASS = { ...LB, loadBalancerClass: 'service.k8s.aws/nlb' };
  const external = { [`${AWS}type`]: 'external' };
  const ip = { [`${AWS}nlb-target-type`]: 'ip' };

  it.each([
    ['external with IP targets', LB, { ...external, ...ip }, 'ip'],
    ['external with instances', LB, { ...external, [`${AWS}nlb-target-type`]: 'instance' }, 'instance'],
    ['external without a target type has instances, as in the original', LB, external, 'instance'],
    ['the old form', LB, { [`${AWS}type`]: 'nlb-ip' }, 'ip'],
    ['the class with IP targets', CLASS, ip, 'ip'],
    ['the class counts before the type', CLASS, { ...ip, [`${AWS}type`]: 'nlb' }, 'ip'],
    ['the class and the old form', CLASS, { [`${AWS}type`]: 'nlb-ip' }, 'ip'],
    ['the class without a target type', CLASS, {}, 'instance'],
    ['another class', { ...LB, loadBalancerClass: 'example.org/lb' }, { ...external, ...ip }, undefined],
    ['the in-tree type', LB, { [`${AWS}type`]: 'nlb' }, undefined],
    ['no annotation', LB, {}, undefined],
    ['IP targets alone', LB, ip, undefined],
    ['another type of Service', { type: 'NodePort' }, { ...external, ...ip }, undefined],
  ])('with %s', (_name, spec, annotations, claim) => {
    expect(serviceClaim(service(spec, annotations))).toBe(claim);
  });
});

describe('an Ingress', () => {
  const ingress = (spec: object, annotations: Record<string, string> = {}) => ({
    metadata: { namespace: 'shop', name: 'web', annotations },
    spec,
  });

  it.each([
    ['class alb', { ingressClassName: 'alb' }, {}, true],
    ['the old annotation', {}, { 'kubernetes.io/ingress.class': 'alb' }, true],
    ['another class', { ingressClassName: 'nginx' }, { 'kubernetes.io/ingress.class': 'alb' }, false],
    ['no class', {}, {}, false],
    ["a class of the original's controller", { ingressClassName: 'public' }, {}, true],
    ['a class of our controller', { ingressClassName: 'inside' }, {}, true],
    ["a class of another's", { ingressClassName: 'other' }, {}, false],
    ['an annotation with another name', {}, { 'kubernetes.io/ingress.class': 'public' }, false],
  ])('of %s', (_name, spec, annotations, claimed) => {
    const classes = claimedClasses([
      { metadata: { name: 'public' }, spec: { controller: 'ingress.k8s.aws/alb' } },
      { metadata: { name: 'inside' }, spec: { controller: 'cloister.dev/alb' } },
      { metadata: { name: 'other' }, spec: { controller: 'k8s.io/ingress-nginx' } },
    ]);
    expect(ingressClaimed(ingress(spec, annotations), classes)).toBe(claimed);
  });

  it.each([
    [undefined, undefined, 'instance'],
    ['ip', undefined, 'ip'],
    ['ip', 'instance', 'instance'],
    ['instance', 'ip', 'ip'],
  ] as const)('of target type %s with a Service of %s has %s', (own, ofService, type) => {
    const target = (value: string | undefined): Record<string, string> =>
      value === undefined ? {} : { [`${ALB}target-type`]: value };
    expect(backendTargetType(ingress({}, target(own)), service({}, target(ofService)))).toBe(type);
  });

  it('shares an address with its group', () => {
    expect(ownerOf(ingress({}, { [`${ALB}group.name`]: 'front' }), 'Ingress')).toBe('group:front');
    expect(ownerOf(ingress({}), 'Ingress')).toBe('ingress:shop:web');
    expect(ownerOf(service({}, { [`${ALB}group.name`]: 'front' }), 'Service')).toBe('service:shop:web');
  });
});
