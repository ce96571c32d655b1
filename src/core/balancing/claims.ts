/** Which Services and Ingresses are for the balancers, and which are left to somebody else (spec/fargate.md §6.2). */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { Ingress, IngressClass } from 'kubernetes-types/networking/v1.js';
import type { ObjectMeta } from '../pod.ts';
import {
  ALB_CLASS,
  ALB_TARGET_TYPE,
  AWS_INGRESS_CONTROLLER,
  BALANCER_FINALIZER,
  INGRESS_CLASS_ANNOTATION,
  INGRESS_CONTROLLER,
  NLB_CLASS,
  NLB_TARGET_TYPE,
  NLB_TYPE,
} from './annotations.ts';
import { groupOf } from './groups.ts';

/** Objects with metadata, as the API server stores them. */
export type StoredService = Service & { metadata: ObjectMeta };
export type StoredIngress = Ingress & { metadata: ObjectMeta };

/** What a target is: an address of a pod, or a port of a node. */
export type TargetType = 'ip' | 'instance';

const annotation = (object: { metadata: ObjectMeta }, name: string): string | undefined =>
  object.metadata.annotations?.[name];

/** The original targets instances unless it is told otherwise. */
const targetType = (text: string | undefined): TargetType => (text === 'ip' ? 'ip' : 'instance');

/**
 * What a Service asks of the balancers; undefined when it is not for them. A load balancer class counts before
 * the annotation, and a class or type that is not known here has a controller of its own.
 */
export const serviceClaim = (service: StoredService): TargetType | undefined => {
  const { type, loadBalancerClass } = service.spec ?? {};
  if (type !== 'LoadBalancer') return undefined;
  const wanted = annotation(service, NLB_TYPE) ?? '';
  const ours =
    loadBalancerClass === undefined
      ? ['external', 'nlb-ip'].includes(wanted)
      : loadBalancerClass === NLB_CLASS;
  if (!ours) return undefined;
  return wanted === 'nlb-ip' ? 'ip' : targetType(annotation(service, NLB_TARGET_TYPE));
};

/**
 * Names of the classes whose Ingresses are for the balancers: `alb`, and all that name our controller or the
 * original's. Where that one runs, nobody is balanced here.
 */
export const claimedClasses = (classes: readonly IngressClass[]): ReadonlySet<string> =>
  new Set([
    ALB_CLASS,
    ...classes
      .filter(({ spec }) => [INGRESS_CONTROLLER, AWS_INGRESS_CONTROLLER].includes(spec?.controller ?? ''))
      .map(({ metadata }) => metadata?.name ?? ''),
  ]);

/** Whether an Ingress is for the balancers. The field counts before the old annotation, which knows one class. */
export const ingressClaimed = (ingress: StoredIngress, classes: ReadonlySet<string>): boolean => {
  const { ingressClassName: name } = ingress.spec ?? {};
  return name === undefined ? annotation(ingress, INGRESS_CLASS_ANNOTATION) === ALB_CLASS : classes.has(name);
};

/** Whether an object is held for a balancer that serves it. */
export const hasBalancer = ({ metadata }: StoredService | StoredIngress): boolean =>
  metadata.deletionTimestamp === undefined && metadata.finalizers?.includes(BALANCER_FINALIZER) === true;

/** What the targets of an Ingress' backend are: the Service's annotation counts before the Ingress'. */
export const backendTargetType = (ingress: StoredIngress, service: StoredService): TargetType =>
  targetType(annotation(service, ALB_TARGET_TYPE) ?? annotation(ingress, ALB_TARGET_TYPE));

/** Key of what gets one address: a Service, an Ingress, or a group of Ingresses. */
export const ownerOf = (object: StoredService | StoredIngress, kind: 'Service' | 'Ingress'): string => {
  const { namespace = '', name = '' } = object.metadata;
  const group = kind === 'Ingress' ? groupOf(object as StoredIngress) : undefined;
  return group === undefined ? `${kind.toLowerCase()}:${namespace}:${name}` : `group:${group}`;
};
