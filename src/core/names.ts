/**
 * Names that clients of the original and charts rely on, to the letter, and our own. One place for each.
 * Source: spec/fargate.md §1.5, §2.1, §2.2, §3, §4.1, §5, §6.1.
 */

/** API group and version of our own kinds (FargateProfile, MicroVM, SecurityGroup, Subnet and others). */
export const GROUP = 'cloister.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Pod label with the name of the profile that the pod runs under (§2.2). */
export const PROFILE_LABEL = 'eks.amazonaws.com/fargate-profile';

/** Annotation of pods (§1.5), label and taint key of nodes (§5): where a pod runs. */
export const COMPUTE_TYPE = 'eks.amazonaws.com/compute-type';
/** Value of COMPUTE_TYPE on a pod that keeps it off Fargate. */
export const COMPUTE_TYPE_EC2 = 'ec2';
/** Value of COMPUTE_TYPE on our nodes. */
export const COMPUTE_TYPE_FARGATE = 'fargate';

/** Pod annotation with the provisioned size, e.g. `0.25vCPU 0.5GB` (§4.1). */
export const CAPACITY_ANNOTATION = 'CapacityProvisioned';
/** Pod annotation that tells whether the pod's logs are routed (§2.2, §10.1). */
export const LOGGING_ANNOTATION = 'Logging';
/** Pod annotation with the security groups of a SecurityGroupPolicy (§6.1). */
export const SECURITY_GROUPS_ANNOTATION = 'fargate.amazonaws.com/pod-sg';

/** The scheduler beside the default one, and the source of its events (§2.1, §2.2). */
export const SCHEDULER = 'fargate-scheduler';
/** The scheduler name that the API server gives pods which name none. */
export const DEFAULT_SCHEDULER = 'default-scheduler';

/** Priority class of every pod on Fargate, its value, and the policy that goes with it (§2.2). */
export const PRIORITY_CLASS = 'system-node-critical';
export const PRIORITY = 2000001000;
export const PREEMPTION_POLICY = 'PreemptLowerPriority';

/** Webhook configuration and first webhook; `0500-` puts it before those that read our label (§2.1). */
export const MUTATING_WEBHOOK = '0500-amazon-eks-fargate-mutation.amazonaws.com';
/** Webhook that counts profiles across the cluster. */
export const PROFILE_WEBHOOK = 'profiles.cloister.dev';
/** Webhook that judges where new subnets lie. */
export const SUBNET_WEBHOOK = 'subnets.cloister.dev';
/** Webhook that judges containers added to pods on our nodes. */
export const EPHEMERAL_WEBHOOK = 'ephemeralcontainers.cloister.dev';

/** Webhook configuration of the upstream pod identity webhook: where it stands, it alone gives roles (§7). */
export const IDENTITY_WEBHOOK = 'pod-identity-webhook';

/** Webhooks that keep security groups and prefix lists which something uses. */
export const GROUP_DELETION_WEBHOOK = 'securitygroups.cloister.dev';
export const LIST_DELETION_WEBHOOK = 'prefixlists.cloister.dev';
/** The two webhooks that give pods their security groups and keep them (§6.1). */
export const GROUPS_WEBHOOK = 'mpod.vpc.k8s.aws';
export const GROUPS_GUARD_WEBHOOK = 'vpod.vpc.k8s.aws';
/** Configuration in which the upstream controller has the first: where it stands, it alone gives groups. */
export const UPSTREAM_GROUPS_WEBHOOK = 'vpc-resource-mutating-webhook';

/** Reasons of the `PodScheduled` condition (§3, §3.5). */
export const UNSUPPORTED_REASON = 'POD_UNSUPPORTED_ON_FARGATE';
export const TOO_LARGE_REASON = 'POD_CPU_MEM_EXCEEDS_MAX_FARGATE_SIZE';
/** Reason of a pod that got onto one of our nodes past the scheduler (§3, §5.3). */
export const UNSUPPORTED_SPEC_REASON = 'UnsupportedPodSpec';

/** Prefix of every node that is ours (§5). */
export const NODE_PREFIX = 'fargate-';

/** The product's own namespace. Its pods never run on Fargate, whatever the profiles say. */
export const SYSTEM_NAMESPACE = 'cloister-system';

/** Kubernetes user of the controller, the only one that binds pods to our nodes. */
export const CONTROLLER_USER = 'cloister:controller';
/** Service account (namespace kube-system) whose bound tokens the guests' kube-proxies use. */
export const PROXY_SERVICE_ACCOUNT = 'cloister-kube-proxy';

/** Finalizer of MicroVM objects, written before anything outside Kubernetes exists. */
export const MACHINE_FINALIZER = 'cloister.dev/machine';
/** Finalizer of FargateProfile objects: pods that run under a profile are gone before it is (§1.6). */
export const PROFILE_FINALIZER = 'cloister.dev/pods';

/** MicroVM annotation with the name of its node. */
export const NODE_ANNOTATION = 'cloister.dev/node';
/** Node annotation with the name of its MicroVM: only such nodes are ours to remove. */
export const MICROVM_ANNOTATION = 'cloister.dev/microvm';

/** Label of the Leases by which replicas of admission tell that they are there, and its value. */
export const ADMISSION_LABEL = 'cloister.dev/admission';
export const ADMISSION_REPLICA = 'replica';
/** Annotation of such a Lease: the resourceVersion up to which the replica has all profiles. */
export const PROFILES_SEEN_ANNOTATION = 'cloister.dev/profiles-seen';
