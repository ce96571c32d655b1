/** Who the product is to the API server, and what it may do there: no more than its stages need. */
import {
  CONTROLLER_USER,
  GROUP,
  IDENTITY_WEBHOOK,
  PROXY_SERVICE_ACCOUNT,
  SYSTEM_NAMESPACE,
  UPSTREAM_GROUPS_WEBHOOK,
} from '../../core/names.ts';
import { SECURITY_GROUP_POLICIES } from '../security-group-policy.ts';

export const RBAC = 'rbac.authorization.k8s.io';
export const READ = ['get', 'list', 'watch'];

/** Our kinds that people write. */
const WRITTEN = [
  'fargateprofiles',
  'networks',
  'subnets',
  'securitygroups',
  'prefixlists',
  'podexecutionroles',
];

export const rule = (group: string, resources: readonly string[], verbs: readonly string[]) => ({
  apiGroups: [group],
  resources,
  verbs,
});

const rules = [
  rule('', ['pods'], [...READ, 'patch', 'delete']),
  rule('', ['pods/binding'], ['create']),
  rule('', ['pods/status'], ['patch']),
  rule('', ['nodes'], [...READ, 'create', 'patch', 'delete']),
  rule('', ['nodes/status'], ['patch']),
  rule('', ['events'], ['get', 'create', 'update']),
  rule('', ['namespaces', 'persistentvolumes', 'persistentvolumeclaims', 'serviceaccounts'], READ),
  // Claims that wait for their first consumer get their volume, or the order for one, from the scheduler.
  rule('', ['persistentvolumes', 'persistentvolumeclaims'], ['patch']),
  rule('storage.k8s.io', ['storageclasses'], READ),
  rule('networking.k8s.io', ['networkpolicies'], READ),
  // The log router's configuration, by its fixed name (spec/fargate.md §10.1).
  { ...rule('', ['configmaps'], READ), resourceNames: ['aws-logging'] },
  // Whether the upstream webhooks for roles and for security groups are installed (spec/fargate.md §7, §6.1).
  {
    ...rule('admissionregistration.k8s.io', ['mutatingwebhookconfigurations'], READ),
    resourceNames: [IDENTITY_WEBHOOK, UPSTREAM_GROUPS_WEBHOOK],
  },
  // Balancers: what asks for one is held by a finalizer and told its address (spec/fargate.md §6.2).
  rule('', ['services'], [...READ, 'patch']),
  rule('', ['services/status'], ['patch']),
  rule('networking.k8s.io', ['ingresses'], [...READ, 'patch']),
  rule('networking.k8s.io', ['ingresses/status'], ['patch']),
  rule('networking.k8s.io', ['ingressclasses'], READ),
  rule('discovery.k8s.io', ['endpointslices'], READ),
  rule('coordination.k8s.io', ['leases'], READ),
  rule(GROUP, ['networks', 'subnets', 'securitygroups', 'prefixlists', 'podexecutionroles'], READ),
  rule(SECURITY_GROUP_POLICIES.group, ['securitygrouppolicies'], READ),
  // The EKS API creates and deletes profiles, and each is held by a finalizer until its pods are gone.
  rule(GROUP, ['fargateprofiles'], [...READ, 'create', 'update', 'patch', 'delete']),
  // Tokens of service accounts that ask for a role (spec/fargate.md §7).
  rule('authentication.k8s.io', ['tokenreviews'], ['create']),
  rule(GROUP, ['microvms'], [...READ, 'create', 'patch', 'delete']),
  // Connections, for those who follow them; what nobody renews any more is removed.
  rule(GROUP, ['flowwatches'], [...READ, 'delete']),
  rule(GROUP, ['flowwatches/status'], ['patch']),
  rule(GROUP, ['fargateprofiles/status', 'networks/status', 'subnets/status', 'microvms/status'], ['patch']),
  rule('certificates.k8s.io', ['certificatesigningrequests'], [...READ, 'create', 'delete']),
  rule('certificates.k8s.io', ['certificatesigningrequests/approval'], ['patch']),
  {
    ...rule('certificates.k8s.io', ['signers'], ['approve']),
    resourceNames: ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'],
  },
];

export const user = { apiGroup: RBAC, kind: 'User', name: CONTROLLER_USER };

export const binding = (
  kind: 'ClusterRoleBinding' | 'RoleBinding',
  name: string,
  roleKind: 'ClusterRole' | 'Role',
  role: string,
  subject: object,
  namespace?: string,
) => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: namespace === undefined ? { name } : { name, namespace },
  roleRef: { apiGroup: RBAC, kind: roleKind, name: role },
  subjects: [subject],
});

const role = (name: string, namespace: string, list: readonly object[]) => ({
  apiVersion: `${RBAC}/v1`,
  kind: 'Role',
  metadata: { name, namespace },
  rules: list,
});

/**
 * Our kinds in the roles `view`, `edit` and `admin` of Kubernetes: all may look, and who administers may write
 * what people write. They are of the whole cluster, so that `edit` of one namespace does not reach them. Nor
 * does it reach SecurityGroupPolicies: who writes one lets pods into groups that others trust. Who may edit a
 * namespace may follow the connections of its pods, as they may run programs in them.
 */
const aggregatedRoles = (): readonly object[] => {
  const aggregate = (name: string, to: readonly string[], list: readonly object[]) => ({
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: {
      name,
      labels: Object.fromEntries(to.map((role) => [`${RBAC}/aggregate-to-${role}`, 'true'])),
    },
    rules: list,
  });
  return [
    aggregate(
      'cloister:view',
      ['view', 'edit', 'admin'],
      [
        rule(GROUP, ['microvms', 'flowwatches', ...WRITTEN], READ),
        rule(SECURITY_GROUP_POLICIES.group, ['securitygrouppolicies'], READ),
      ],
    ),
    aggregate(
      'cloister:edit',
      ['edit', 'admin'],
      [rule(GROUP, ['flowwatches'], ['create', 'patch', 'delete'])],
    ),
    aggregate('cloister:admin', ['admin'], [rule(GROUP, WRITTEN, ['create', 'update', 'patch', 'delete'])]),
  ];
};

/**
 * Namespace, roles and bindings. Nothing here, nor in Kubernetes' defaults, approves a certificate that a
 * node asks for itself: only the controller approves, and only what it asked for.
 */
export const rbacManifests = (): readonly object[] => [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } },
  { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name: CONTROLLER_USER }, rules },
  binding('ClusterRoleBinding', CONTROLLER_USER, 'ClusterRole', CONTROLLER_USER, user),
  role(CONTROLLER_USER, SYSTEM_NAMESPACE, [
    rule('coordination.k8s.io', ['leases'], ['create', 'update', 'patch', 'delete']),
    rule('', ['configmaps'], ['create', 'patch']),
    // Keys, roles and sessions of the EKS API, and the answers that it keeps for requests with a token.
    rule('', ['secrets'], [...READ, 'create']),
    rule('', ['configmaps'], [...READ, 'create', 'update', 'patch', 'delete']),
  ]),
  binding('RoleBinding', CONTROLLER_USER, 'Role', CONTROLLER_USER, user, SYSTEM_NAMESPACE),
  // Pod execution roles, where tools look for them (spec/fargate.md §1.8).
  role('cloister:aws-auth', 'kube-system', [
    { ...rule('', ['configmaps'], [...READ, 'update']), resourceNames: ['aws-auth'] },
    rule('', ['configmaps'], ['create']),
  ]),
  binding('RoleBinding', 'cloister:aws-auth', 'Role', 'cloister:aws-auth', user, 'kube-system'),
  ...aggregatedRoles(),
  {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: PROXY_SERVICE_ACCOUNT, namespace: 'kube-system' },
    automountServiceAccountToken: false,
  },
  binding('ClusterRoleBinding', 'cloister:kube-proxy', 'ClusterRole', 'system:node-proxier', {
    kind: 'ServiceAccount',
    name: PROXY_SERVICE_ACCOUNT,
    namespace: 'kube-system',
  }),
  role('cloister:kube-proxy-token', 'kube-system', [
    { ...rule('', ['serviceaccounts/token'], ['create']), resourceNames: [PROXY_SERVICE_ACCOUNT] },
  ]),
  binding(
    'RoleBinding',
    'cloister:kube-proxy-token',
    'Role',
    'cloister:kube-proxy-token',
    user,
    'kube-system',
  ),
];
