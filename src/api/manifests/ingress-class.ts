/** The class of the Ingresses that our balancers serve (Kubernetes documentation, "Ingress class"). */
import { ALB_CLASS, INGRESS_CONTROLLER } from '../../core/balancing/annotations.ts';
import type { IngressClass } from '../resources.ts';

/** Not the default: an Ingress that names no class is left to others. */
export const ingressClass = (): IngressClass => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: ALB_CLASS },
  spec: { controller: INGRESS_CONTROLLER },
});
