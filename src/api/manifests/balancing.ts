/** What a cluster has besides where our balancers serve: where a cloud's own do, it has none of this. */
import { ALB_CLASS, INGRESS_CONTROLLER } from '../../core/balancing/annotations.ts';
import type { IngressClass } from '../resources.ts';
import { binding, RBAC, READ, rule, user } from './rbac.ts';

/**
 * The class of the Ingresses that they serve (Kubernetes documentation, "Ingress class").
 * Not the default: an Ingress that names no class is left to others.
 */
export const ingressClass = (): IngressClass => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: ALB_CLASS },
  spec: { controller: INGRESS_CONTROLLER },
});

const CERTIFICATES = 'cloister:certificates';

/**
 * Lets the controller read the certificates of Ingresses. It asks for Secrets of their type alone, which access
 * rules cannot say.
 */
export const certificateReader = (): readonly object[] => [
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name: CERTIFICATES },
    rules: [rule('', ['secrets'], READ)],
  },
  binding('ClusterRoleBinding', CERTIFICATES, 'ClusterRole', CERTIFICATES, user),
];
