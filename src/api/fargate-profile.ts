/** FargateProfile: which pods run on Fargate and how (spec/fargate.md §1). */
import { type Static, Type } from 'typebox';
import { ROLE_ARN } from '../core/eks/arn.ts';
import { API_VERSION } from '../core/names.ts';
import { Condition, type Frozen, type Kind, type NamedMeta, rules } from './kind.ts';

const Selector = Type.Object(
  {
    namespace: Type.String({
      maxLength: 255,
      description: 'Namespace of the pods; `*` stands for any characters, `?` for exactly one.',
      ...rules({
        rule: 'self.size() > 0',
        message: 'Fargate Profile must have at least one selector with at least one namespace value.',
      }),
    }),
    labels: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 255 }), {
        maxProperties: 50,
        description: 'Labels that the pod must have, all of them; wildcards in keys and values.',
        ...rules(
          { rule: 'self.size() <= 5', message: 'Request contains Selector with more than 5 Label pairs' },
          {
            rule: 'self.all(k, k.size() >= 1 && k.size() <= 127 && self[k].size() >= 1)',
            message: 'Selector label keys have 1 to 127 characters and values 1 to 255',
          },
        ),
      }),
    ),
  },
  { description: 'Matches a pod when its namespace and all labels match.' },
);

const Switch = (what: string) =>
  Type.Optional(Type.Boolean({ description: `${what} Default false: refused, as in the original.` }));

/** A name as labels have it (Kubernetes documentation "Labels and Selectors", syntax and character set). */
const NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const LABEL_KEY = `([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?${NAME}`;
/** Labels below these are given by Kubernetes, by the original and by us. */
const RESERVED = ['kubernetes.io', 'k8s.io', 'amazonaws.com', 'cloister.dev']
  .join('|')
  .replaceAll('.', '[.]');

const Rlimit = (most: number) =>
  Type.Object(
    { soft: Type.Integer({ minimum: 1, maximum: most }), hard: Type.Integer({ minimum: 1, maximum: most }) },
    rules({ rule: 'self.soft <= self.hard', message: 'the soft limit must not be above the hard one' }),
  );

/** What a profile allows beyond the original. */
export const FargateProfilePolicy = Type.Object(
  {
    reject: Type.Optional(
      Type.Boolean({
        description:
          'Refuse unsupported pods at creation instead of warning and leaving them Pending. Default false.',
      }),
    ),
    privileged: Switch('Allow privileged containers and explicit privilege escalation.'),
    capabilities: Switch("Allow capabilities beyond the container runtime's default set."),
    hostNamespaces: Switch("Allow the network, process and IPC namespaces of the pod's own guest."),
    hostPorts: Switch('Allow hostPort and hostIP.'),
    volumes: Switch(
      'Allow volume kinds that work inside the guest: hostPath and image, and claims on volumes of the kinds hostPath and nfs.',
    ),
    sysctls: Switch('Allow unsafe sysctls, as far as they belong to the namespaces of the pod.'),
    topology: Type.Optional(
      Type.Boolean({
        description:
          'Honour topology spread constraints, pod affinity and pod anti-affinity. Default false: ignored, as in the original.',
      }),
    ),
    rlimits: Type.Optional(
      Type.Object(
        { nofile: Type.Optional(Rlimit(1_048_576)), nproc: Type.Optional(Rlimit(4_194_304)) },
        { description: 'Limits of every container. Default 1024 soft and 65535 hard, as in the original.' },
      ),
    ),
    nodeLabels: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 63 }), {
        maxProperties: 20,
        description: "Labels of the pods' Nodes besides those of the original.",
        ...rules(
          {
            rule: `self.all(k, k.size() <= 317 && k.matches('^${LABEL_KEY}$') && self[k].matches('^(${NAME})?$'))`,
            message:
              'nodeLabels must be labels: an optional prefix and names of at most 63 letters, digits, -, _ and .',
          },
          {
            rule: `self.all(k, !k.matches('^([^/]*[.])?(${RESERVED})/'))`,
            message:
              'nodeLabels must not begin with a reserved prefix: kubernetes.io, k8s.io, amazonaws.com, cloister.dev, or one below them',
          },
        ),
      }),
    ),
  },
  {
    description: "What is allowed beyond the original; the guest is the pod's own, so neighbours stay safe.",
  },
);

const Spec = Type.Object({
  selectors: Type.Array(Selector, {
    maxItems: 50,
    description: 'A pod runs under the profile when any of these matches. One to five.',
    ...rules(
      { rule: 'self.size() > 0', message: 'Fargate Profile requires at least one selector.' },
      { rule: 'self.size() <= 5', message: 'Fargate Profile has more than 5 selectors' },
    ),
  }),
  subnets: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      maxItems: 100,
      description: 'Names of private Subnet objects for the pods. Default: all private subnets.',
    }),
  ),
  podExecutionRoleArn: Type.Optional(
    Type.String({
      maxLength: 2048,
      description: 'Role that the node uses to pull images and to send logs.',
      ...rules({
        rule: `self.matches('${ROLE_ARN}')`,
        message: 'podExecutionRoleArn must have the form arn:aws:iam::<account>:role/<name>, with no path',
      }),
    }),
  ),
  tags: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 256 }), {
      maxProperties: 50,
      description: 'Tags of the profile; they do not propagate to pods.',
      ...rules(
        {
          rule: 'self.all(k, k.size() >= 1 && k.size() <= 128)',
          message: 'Tag keys have 1 to 128 characters',
        },
        {
          rule: "self.all(k, !k.matches('^[aA][wW][sS]:'))",
          message: 'Tag keys must not begin with aws:, which is reserved',
        },
      ),
    }),
  ),
  policy: Type.Optional(FargateProfilePolicy),
});

const Health = Type.Object({
  issues: Type.Array(
    Type.Object({
      code: Type.Enum([
        'PodExecutionRoleAlreadyInUse',
        'AccessDenied',
        'ClusterUnreachable',
        'InternalFailure',
      ]),
      message: Type.String(),
      resourceIds: Type.Array(Type.String()),
    }),
    { description: 'What keeps the profile from its state.' },
  ),
});

const Status = Type.Object({
  status: Type.Optional(
    Type.Enum(['CREATING', 'ACTIVE', 'DELETING', 'CREATE_FAILED', 'DELETE_FAILED'], {
      description: 'ACTIVE means that the selectors are live in every replica of admission.',
    }),
  ),
  selectors: Type.Optional(
    Type.Array(
      Type.Object({
        namespace: Type.String(),
        labels: Type.Optional(Type.Record(Type.String(), Type.String())),
      }),
      { description: 'The selectors that ACTIVE was last told of.' },
    ),
  ),
  podExecutionRoleArn: Type.Optional(
    Type.String({ description: 'The role that ACTIVE was last told of, which was mapped for nodes.' }),
  ),
  health: Type.Optional(Health),
  conditions: Type.Optional(Type.Array(Condition)),
});

/** A Fargate profile as stored by the API server. */
export interface FargateProfile {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'FargateProfile';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
  readonly status?: Frozen<Static<typeof Status>>;
}

/** The kind, for the CRD. */
export const fargateProfileKind: Kind = {
  kind: 'FargateProfile',
  plural: 'fargateprofiles',
  shortNames: ['fgp'],
  description: 'Decides which pods run on Fargate, and in which subnets.',
  spec: Spec,
  status: Status,
  columns: [
    { name: 'Namespaces', type: 'string', jsonPath: '.spec.selectors[*].namespace' },
    { name: 'Status', type: 'string', jsonPath: '.status.status' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [
    {
      rule: "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9][a-z0-9-]*$')",
      message: 'the name of a FargateProfile becomes a label value: 1 to 63 lower-case letters, digits and -',
    },
    {
      rule: "!self.metadata.name.startsWith('eks-')",
      message: 'names of Fargate profiles that start with eks- are reserved',
    },
  ],
};
