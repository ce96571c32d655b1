/** The webhook configurations (spec/fargate.md §2.1), with the address at which the API server finds us. */
import {
  EPHEMERAL_WEBHOOK,
  GROUP,
  GROUP_DELETION_WEBHOOK,
  GROUPS_GUARD_WEBHOOK,
  GROUPS_WEBHOOK,
  LIST_DELETION_WEBHOOK,
  MUTATING_WEBHOOK,
  NODE_PREFIX,
  PROFILE_LABEL,
  PROFILE_WEBHOOK,
  SCHEDULER,
  SECURITY_GROUPS_ANNOTATION,
  SUBNET_WEBHOOK,
  SYSTEM_NAMESPACE,
  VERSION,
} from '../core/names.ts';

/** Where the admission server listens, as the API server sees it. */
export interface WebhookAddress {
  /** Base address without a path, e.g. `https://10.42.0.2:9443`. */
  readonly url: string;
  /** PEM certificate of the authority that signed the server's. Left out: the API server's own roots. */
  readonly caBundle?: string;
}

/** Paths of the admission server. */
export const MUTATE_PATH = '/mutate';
export const MUTATE_GROUPS_PATH = '/mutate-v1-pod';
export const VALIDATE_PROFILES_PATH = '/validate/profiles';
export const VALIDATE_SUBNETS_PATH = '/validate/subnets';
export const VALIDATE_EPHEMERAL_PATH = '/validate/ephemeralcontainers';
export const VALIDATE_GROUPS_PATH = '/validate-v1-pod';
export const DELETE_GROUP_PATH = '/validate/securitygroups';
export const DELETE_LIST_PATH = '/validate/prefixlists';

const clientConfig = ({ url, caBundle }: WebhookAddress, path: string) => ({
  url: `${url}${path}`,
  ...(caBundle === undefined ? {} : { caBundle: Buffer.from(caBundle).toString('base64') }),
});

const elsewhereThanOurs = {
  matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [SYSTEM_NAMESPACE] }],
};

const failOpen = {
  failurePolicy: 'Ignore',
  matchPolicy: 'Equivalent',
  sideEffects: 'None',
  timeoutSeconds: 5,
  admissionReviewVersions: ['v1'],
};

const HAS_SCHEDULER = `(has(object.spec.schedulerName) && object.spec.schedulerName == '${SCHEDULER}')`;
const HAS_LABEL = `(has(object.metadata.labels) && '${PROFILE_LABEL}' in object.metadata.labels)`;

/**
 * The mutating configuration: fail-open, so a cluster without us still starts pods, and without the
 * product's own namespace, so that we never wait for ourselves. Webhooks of one configuration are called in
 * its order, so the second sees the label of the first; it is called again when somebody changes the pod.
 */
export const mutatingConfiguration = (address: WebhookAddress) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: MUTATING_WEBHOOK },
  webhooks: [
    {
      name: MUTATING_WEBHOOK,
      clientConfig: clientConfig(address, MUTATE_PATH),
      rules: [
        { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['pods'], scope: '*' },
      ],
      namespaceSelector: elsewhereThanOurs,
      objectSelector: {},
      reinvocationPolicy: 'Never',
      ...failOpen,
    },
    {
      name: GROUPS_WEBHOOK,
      clientConfig: clientConfig(address, MUTATE_GROUPS_PATH),
      rules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: '*' },
      ],
      namespaceSelector: elsewhereThanOurs,
      matchConditions: [{ name: 'fargate', expression: `${HAS_LABEL} || ${HAS_SCHEDULER}` }],
      reinvocationPolicy: 'IfNeeded',
      ...failOpen,
    },
  ],
});

const failClosed = {
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  sideEffects: 'None',
  timeoutSeconds: 5,
  admissionReviewVersions: ['v1'],
};

/**
 * Whether a pod is ours by fields that nobody can change: its scheduler, or its node. The label would not do,
 * whoever may patch the pod could take it away first.
 */
const OURS = [
  HAS_SCHEDULER,
  `(has(object.spec.nodeName) && object.spec.nodeName.startsWith('${NODE_PREFIX}'))`,
].join(' || ');

const groupsOf = (object: string): string =>
  `${object}.metadata.?annotations[?'${SECURITY_GROUPS_ANNOTATION}'].orValue('')`;

/**
 * Whether the annotation with the security groups was changed, or came with a pod that is ours. All other pods
 * are none of our business, so that being fail-closed costs them nothing.
 */
const GROUPS_TOUCHED = `request.operation == 'CREATE' ? (${groupsOf('object')} != '' && ${HAS_SCHEDULER}) : (${groupsOf('object')} != ${groupsOf('oldObject')})`;

/** What is asked about our own objects. */
const ofOurs = (resource: string, ...operations: readonly string[]) => ({
  rules: [
    { apiGroups: [GROUP], apiVersions: [VERSION], operations, resources: [resource], scope: 'Cluster' },
  ],
});

/** Asks before one of our objects is deleted. */
const beforeDeletion = (address: WebhookAddress, name: string, path: string, resource: string) => ({
  name,
  clientConfig: clientConfig(address, path),
  ...ofOurs(resource, 'DELETE'),
  ...failClosed,
});

/**
 * The validating configuration, fail-closed: limits across profiles that a schema cannot see (§1.4), containers
 * that are added to pods on our nodes (§3.2), and security groups that nobody but the webhook gives (§6.1). Groups and lists that
 * something uses stay. Where new subnets lie is asked fail-open: the cluster has some before it has us, and no address
 * is given twice, wherever they lie.
 */
export const validatingConfiguration = (address: WebhookAddress) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: PROFILE_WEBHOOK },
  webhooks: [
    {
      name: PROFILE_WEBHOOK,
      clientConfig: clientConfig(address, VALIDATE_PROFILES_PATH),
      ...ofOurs('fargateprofiles', 'CREATE', 'UPDATE'),
      ...failClosed,
    },
    {
      name: SUBNET_WEBHOOK,
      clientConfig: clientConfig(address, VALIDATE_SUBNETS_PATH),
      ...ofOurs('subnets', 'CREATE'),
      ...failOpen,
    },
    {
      name: EPHEMERAL_WEBHOOK,
      clientConfig: clientConfig(address, VALIDATE_EPHEMERAL_PATH),
      rules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['UPDATE'],
          resources: ['pods/ephemeralcontainers'],
          scope: 'Namespaced',
        },
      ],
      matchConditions: [{ name: 'ours', expression: OURS }],
      ...failClosed,
    },
    {
      name: GROUPS_GUARD_WEBHOOK,
      clientConfig: clientConfig(address, VALIDATE_GROUPS_PATH),
      rules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['pods'],
          scope: 'Namespaced',
        },
      ],
      matchConditions: [{ name: 'touched', expression: GROUPS_TOUCHED }],
      ...failClosed,
    },
    beforeDeletion(address, GROUP_DELETION_WEBHOOK, DELETE_GROUP_PATH, 'securitygroups'),
    beforeDeletion(address, LIST_DELETION_WEBHOOK, DELETE_LIST_PATH, 'prefixlists'),
  ],
});
