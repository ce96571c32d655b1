/**
 * Every kind that this program reads or writes: where the API server keeps it and what it looks like.
 * Source: the Kubernetes API reference, "Resource types"; shapes by `kubernetes-types`, plain JSON.
 */
import type * as admission from 'kubernetes-types/admissionregistration/v1.js';
import type * as extensions from 'kubernetes-types/apiextensions/v1.js';
import type * as apps from 'kubernetes-types/apps/v1.js';
import type * as authentication from 'kubernetes-types/authentication/v1.js';
import type * as certificates from 'kubernetes-types/certificates/v1.js';
import type * as coordination from 'kubernetes-types/coordination/v1.js';
import type * as core from 'kubernetes-types/core/v1.js';
import type * as discovery from 'kubernetes-types/discovery/v1.js';
import type * as networking from 'kubernetes-types/networking/v1.js';
import type * as rbac from 'kubernetes-types/rbac/v1.js';
import type * as storage from 'kubernetes-types/storage/v1.js';
import { GROUP, VERSION } from '../core/names.ts';
import type { ObjectMeta, Pod } from '../core/pod.ts';
import type { FargateProfile } from './fargate-profile.ts';
import type { FlowWatch } from './flow-watch.ts';
import type { MicroVM } from './micro-vm.ts';
import type { Network } from './network.ts';
import type { PodExecutionRole } from './pod-execution-role.ts';
import type { PrefixList } from './prefix-list.ts';
import type { SecurityGroup } from './security-group.ts';
import { SECURITY_GROUP_POLICIES, type SecurityGroupPolicy } from './security-group-policy.ts';
import type { Subnet } from './subnet.ts';

/** One kind of object. `T` is its shape; no value of it is held. */
export interface Resource<T> {
  /** API group; empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** The word in URLs. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: lets the compiler tell a `Resource<Pod>` from a `Resource<Node>`. */
  readonly of?: T;
}

/** An object as every request carries it: with metadata, which the upstream types leave optional. */
type Whole<T> = T & { metadata: ObjectMeta };

export type { Pod };
export type Node = Whole<core.Node>;
export type Namespace = Whole<core.Namespace>;
export type Event = core.Event;
export type Secret = Whole<core.Secret>;
export type ConfigMap = Whole<core.ConfigMap>;
export type Service = Whole<core.Service>;
export type Ingress = Whole<networking.Ingress>;
export type IngressClass = Whole<networking.IngressClass>;
export type EndpointSlice = Whole<discovery.EndpointSlice>;
export type ServiceAccount = Whole<core.ServiceAccount>;
export type PersistentVolumeClaim = Whole<core.PersistentVolumeClaim>;
export type PersistentVolume = Whole<core.PersistentVolume>;
export type StorageClass = Whole<storage.StorageClass>;
export type NetworkPolicy = Whole<networking.NetworkPolicy>;
export type Lease = Whole<coordination.Lease>;
export type CertificateSigningRequest = Whole<certificates.CertificateSigningRequest>;
export type MutatingWebhookConfiguration = Whole<admission.MutatingWebhookConfiguration>;
export type ValidatingAdmissionPolicyBinding = Whole<admission.ValidatingAdmissionPolicyBinding>;
export type CustomResourceDefinition = Whole<extensions.CustomResourceDefinition>;
export type ClusterRole = Whole<rbac.ClusterRole>;
export type ClusterRoleBinding = Whole<rbac.ClusterRoleBinding>;
export type Deployment = Whole<apps.Deployment>;

/** Written to the subresource `binding` of a pod: assigns it to a node. */
export type Binding = Whole<core.Binding>;
/** Written to the subresource `token` of a service account: asks for a bound token. */
export type TokenRequest = authentication.TokenRequest;
/** Asks whose a token is; answered, and never stored. */
export type TokenReview = authentication.TokenReview;

type Scope = 'namespaced' | 'cluster';

const inGroup =
  (group: string, version: string) =>
  <T>(kind: string, plural: string, scope: Scope): Resource<T> => ({
    group,
    version,
    plural,
    kind,
    namespaced: scope === 'namespaced',
  });

const coreV1 = inGroup('', 'v1');
const admissionV1 = inGroup('admissionregistration.k8s.io', 'v1');
const rbacV1 = inGroup('rbac.authorization.k8s.io', 'v1');
const cloister = inGroup(GROUP, VERSION);

export const pods = coreV1<Pod>('Pod', 'pods', 'namespaced');
export const nodes = coreV1<Node>('Node', 'nodes', 'cluster');
export const namespaces = coreV1<Namespace>('Namespace', 'namespaces', 'cluster');
export const events = coreV1<Event>('Event', 'events', 'namespaced');
export const secrets = coreV1<Secret>('Secret', 'secrets', 'namespaced');
export const configMaps = coreV1<ConfigMap>('ConfigMap', 'configmaps', 'namespaced');
export const services = coreV1<Service>('Service', 'services', 'namespaced');
export const ingresses = inGroup('networking.k8s.io', 'v1')<Ingress>('Ingress', 'ingresses', 'namespaced');
export const ingressClasses = inGroup('networking.k8s.io', 'v1')<IngressClass>(
  'IngressClass',
  'ingressclasses',
  'cluster',
);
export const endpointSlices = inGroup('discovery.k8s.io', 'v1')<EndpointSlice>(
  'EndpointSlice',
  'endpointslices',
  'namespaced',
);
export const serviceAccounts = coreV1<ServiceAccount>('ServiceAccount', 'serviceaccounts', 'namespaced');
export const persistentVolumeClaims = coreV1<PersistentVolumeClaim>(
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
  'namespaced',
);
export const persistentVolumes = coreV1<PersistentVolume>('PersistentVolume', 'persistentvolumes', 'cluster');

export const storageClasses = inGroup('storage.k8s.io', 'v1')<StorageClass>(
  'StorageClass',
  'storageclasses',
  'cluster',
);

export const networkPolicies = inGroup('networking.k8s.io', 'v1')<NetworkPolicy>(
  'NetworkPolicy',
  'networkpolicies',
  'namespaced',
);

export const leases = inGroup('coordination.k8s.io', 'v1')<Lease>('Lease', 'leases', 'namespaced');
export const deployments = inGroup('apps', 'v1')<Deployment>('Deployment', 'deployments', 'namespaced');
export const certificateSigningRequests = inGroup('certificates.k8s.io', 'v1')<CertificateSigningRequest>(
  'CertificateSigningRequest',
  'certificatesigningrequests',
  'cluster',
);
export const tokenReviews = inGroup('authentication.k8s.io', 'v1')<TokenReview>(
  'TokenReview',
  'tokenreviews',
  'cluster',
);
export const customResourceDefinitions = inGroup('apiextensions.k8s.io', 'v1')<CustomResourceDefinition>(
  'CustomResourceDefinition',
  'customresourcedefinitions',
  'cluster',
);

export const mutatingWebhookConfigurations = admissionV1<MutatingWebhookConfiguration>(
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  'cluster',
);
export const validatingAdmissionPolicyBindings = admissionV1<ValidatingAdmissionPolicyBinding>(
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  'cluster',
);

export const clusterRoles = rbacV1<ClusterRole>('ClusterRole', 'clusterroles', 'cluster');
export const clusterRoleBindings = rbacV1<ClusterRoleBinding>(
  'ClusterRoleBinding',
  'clusterrolebindings',
  'cluster',
);

export const fargateProfiles = cloister<FargateProfile>('FargateProfile', 'fargateprofiles', 'cluster');
export const flowWatches = cloister<FlowWatch>('FlowWatch', 'flowwatches', 'namespaced');
export const microVMs = cloister<MicroVM>('MicroVM', 'microvms', 'cluster');
export const networks = cloister<Network>('Network', 'networks', 'cluster');
export const podExecutionRoles = cloister<PodExecutionRole>(
  'PodExecutionRole',
  'podexecutionroles',
  'cluster',
);
export const prefixLists = cloister<PrefixList>('PrefixList', 'prefixlists', 'cluster');
export const securityGroups = cloister<SecurityGroup>('SecurityGroup', 'securitygroups', 'cluster');
export const subnets = cloister<Subnet>('Subnet', 'subnets', 'cluster');

export const securityGroupPolicies = inGroup(
  SECURITY_GROUP_POLICIES.group,
  SECURITY_GROUP_POLICIES.version,
)<SecurityGroupPolicy>('SecurityGroupPolicy', 'securitygrouppolicies', 'namespaced');
