/** Annotations, classes and names of the original's load balancer controller, to the letter (spec/fargate.md §6.2). */

/** Beginning of the annotations on Services, and on Ingresses. */
export const NLB = 'service.beta.kubernetes.io/aws-load-balancer-';
export const ALB = 'alb.ingress.kubernetes.io/';

/** Ranges that may connect to a Service, where its field says nothing: a list with commas. */
export const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
export const NLB_TYPE = `${NLB}type`;
export const NLB_TARGET_TYPE = `${NLB}nlb-target-type`;
/** Certificates of ACM, and the ports of a Service that they are for. */
export const NLB_SSL_CERT = `${NLB}ssl-cert`;
export const NLB_SSL_PORTS = `${NLB}ssl-ports`;
export const ALB_CERTIFICATE_ARN = `${ALB}certificate-arn`;
export const ALB_TARGET_TYPE = `${ALB}target-type`;
export const ALB_LISTEN_PORTS = `${ALB}listen-ports`;
export const ALB_SSL_REDIRECT = `${ALB}ssl-redirect`;
/** Ranges that may connect, a list with commas. */
export const ALB_INBOUND_CIDRS = `${ALB}inbound-cidrs`;
/** Beginnings of annotations that are named as backends are: what they do, and when. */
export const ALB_ACTIONS = `${ALB}actions.`;
export const ALB_CONDITIONS = `${ALB}conditions.`;
/** Whether clients have to show certificates: JSON. */
export const ALB_MUTUAL = `${ALB}mutual-authentication`;
/** Who has users log in. */
export const ALB_AUTH_TYPE = `${ALB}auth-type`;
/** Ingresses of one group share an address; lower orders come first. */
export const ALB_GROUP_NAME = `${ALB}group.name`;
export const ALB_GROUP_ORDER = `${ALB}group.order`;

/** `spec.loadBalancerClass` of Services. */
export const NLB_CLASS = 'service.k8s.aws/nlb';
/** `spec.ingressClassName`, and the annotation that came before it. */
export const ALB_CLASS = 'alb';
/** `spec.controller` of the class as it is installed with us, and of the original's classes. */
export const INGRESS_CONTROLLER = 'cloister.dev/alb';
export const AWS_INGRESS_CONTROLLER = 'ingress.k8s.aws/alb';
export const INGRESS_CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

/** Label of namespaces whose new pods wait for their targets to be healthy, and its value. */
export const GATE_LABEL = 'elbv2.k8s.aws/pod-readiness-gate-inject';
export const GATE_LABEL_VALUE = 'enabled';
/** Beginning of the condition types of readiness gates. */
export const GATE_PREFIX = 'target-health.elbv2.k8s.aws/';

/** Where an object keeps its balancer's address, from before it exists until it is gone. */
export const ADDRESS_ANNOTATION = 'cloister.dev/balancer-address';
/** What has that address: the object itself, or a group of Ingresses. */
export const OWNER_ANNOTATION = 'cloister.dev/balancer-of';
/** Holds Services and Ingresses until their balancer serves them no more. */
export const BALANCER_FINALIZER = 'cloister.dev/balancer';
