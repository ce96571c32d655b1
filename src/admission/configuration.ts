/** The webhook configurations (spec/fargate.md §2.1), with the address at which the API server finds us. */
import {
  EPHEMERAL_WEBHOOK,
  GROUP,
  MUTATING_WEBHOOK,
  NODE_PREFIX,
  PROFILE_WEBHOOK,
  SCHEDULER,
  SYSTEM_NAMESPACE,
  VERSION,
} from '../api/names.ts';

/** Where the admission server listens, as the API server sees it. */
export interface WebhookAddress {
  /** Base address without a path, e.g. `https://10.42.0.2:9443`. */
  readonly url: string;
  /** PEM certificate of the authority that signed the server's. Left out: the API server's own roots. */
  readonly caBundle?: string;
}

/** Paths of the admission server. */
export const MUTATE_PATH = '/mutate';
export const VALIDATE_PROFILES_PATH = '/validate/profiles';
export const VALIDATE_EPHEMERAL_PATH = '/validate/ephemeralcontainers';

const clientConfig = ({ url, caBundle }: WebhookAddress, path: string) => ({
  url: `${url}${path}`,
  ...(caBundle === undefined ? {} : { caBundle: Buffer.from(caBundle).toString('base64') }),
});

/**
 * The mutating configuration: fail-open, so a cluster without us still starts pods, and without the
 * product's own namespace, so that we never wait for ourselves.
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
      namespaceSelector: {
        matchExpressions: [
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [SYSTEM_NAMESPACE] },
        ],
      },
      objectSelector: {},
      failurePolicy: 'Ignore',
      matchPolicy: 'Equivalent',
      reinvocationPolicy: 'Never',
      sideEffects: 'None',
      timeoutSeconds: 5,
      admissionReviewVersions: ['v1'],
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
  `(has(object.spec.schedulerName) && object.spec.schedulerName == '${SCHEDULER}')`,
  `(has(object.spec.nodeName) && object.spec.nodeName.startsWith('${NODE_PREFIX}'))`,
].join(' || ');

/**
 * The validating configuration, fail-closed: limits across profiles that a schema cannot see (§1.4), and
 * containers that are added to pods on our nodes (§3.2).
 */
export const validatingConfiguration = (address: WebhookAddress) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: PROFILE_WEBHOOK },
  webhooks: [
    {
      name: PROFILE_WEBHOOK,
      clientConfig: clientConfig(address, VALIDATE_PROFILES_PATH),
      rules: [
        {
          apiGroups: [GROUP],
          apiVersions: [VERSION],
          operations: ['CREATE', 'UPDATE'],
          resources: ['fargateprofiles'],
          scope: 'Cluster',
        },
      ],
      ...failClosed,
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
  ],
});
