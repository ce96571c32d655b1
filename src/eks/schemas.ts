/** Wire shapes of the API, as TypeBox schemas: types, validation and the OpenAPI document from one source. */
import { type Static, Type } from 'typebox';
import { FargateProfilePolicy } from '../api/fargate-profile.ts';

const Nullable = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

/** Texts by texts. A record's own pattern is for keys of one line; what has another is a text, too. */
const Texts = (options: { readonly description?: string } = {}) =>
  Type.Record(Type.String(), Type.String(), { ...options, additionalProperties: Type.String() });

const Tags = Texts({
  description: 'Up to 50; keys of 1 to 128 characters that do not begin with aws:, values of up to 256.',
});

const SelectorInput = Type.Object({
  namespace: Nullable(Type.String({ description: 'With the wildcards * and ?.' })),
  labels: Nullable(Texts()),
});

/** What profiles are made of, for creating and updating alike. */
const profileMembers = {
  selectors: Nullable(Type.Array(SelectorInput, { description: 'One to five.' })),
  subnets: Nullable(
    Type.Array(Type.String(), { description: 'Names of private subnets; without it, all of them.' }),
  ),
};

export const CreateBody = Type.Object({
  fargateProfileName: Type.String({
    description: '1 to 63 of a-z, 0-9 and -; names that start with eks- are reserved.',
  }),
  podExecutionRoleArn: Type.String({ description: 'arn:aws:iam::<account>:role/<name>, with no path.' }),
  ...profileMembers,
  clientRequestToken: Nullable(
    Type.String({
      maxLength: 1024,
      description: 'Repeating a request with the same token gives the first answer again, for a day.',
    }),
  ),
  tags: Nullable(Tags),
});
export type CreateBody = Static<typeof CreateBody>;

export const UpdateBody = Type.Object({
  ...profileMembers,
  podExecutionRoleArn: Nullable(Type.String()),
  policy: Nullable(FargateProfilePolicy),
});
export type UpdateBody = Static<typeof UpdateBody>;

export const TagBody = Type.Object({ tags: Tags });

export const ClusterPath = Type.Object({ name: Type.String({ description: 'Name of the cluster.' }) });
export const ProfilePath = Type.Object({
  name: Type.String({ description: 'Name of the cluster.' }),
  fargateProfileName: Type.String({ description: 'Name of the profile.' }),
});

export const EntryPath = Type.Object({
  name: Type.String({ description: 'Name of the cluster.' }),
  principalArn: Type.String({ description: 'ARN of a pod execution role.' }),
});

/** Query parameters are texts, and may be given more than once; the services look at them themselves. */
const Parameter = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]));
export const PageQuery = Type.Object({ maxResults: Parameter, nextToken: Parameter });
export const EntriesQuery = Type.Object({
  maxResults: Parameter,
  nextToken: Parameter,
  associatedPolicyArn: Parameter,
});
export const VersionsQuery = Type.Object({
  maxResults: Parameter,
  nextToken: Parameter,
  clusterType: Parameter,
  defaultOnly: Parameter,
  includeAll: Parameter,
  clusterVersions: Parameter,
  status: Parameter,
  versionStatus: Parameter,
});
export const UntagQuery = Type.Object({ tagKeys: Parameter });

const Timestamp = Type.Number({ description: 'Seconds since 1970.' });
const NullableText = Type.Union([Type.String(), Type.Null()]);

/** A profile as the API tells it (spec/fargate.md §1.1). */
export const ProfileDescription = Type.Object({
  fargateProfileName: Type.String(),
  fargateProfileArn: Type.String(),
  clusterName: Type.String(),
  createdAt: Timestamp,
  podExecutionRoleArn: NullableText,
  subnets: Type.Array(Type.String()),
  selectors: Type.Array(
    Type.Object({
      namespace: Type.String(),
      labels: Type.Optional(Texts()),
    }),
  ),
  status: Type.Enum(['CREATING', 'ACTIVE', 'DELETING', 'CREATE_FAILED', 'DELETE_FAILED']),
  tags: Texts(),
  health: Type.Object({
    issues: Type.Array(
      Type.Object({ code: Type.String(), message: Type.String(), resourceIds: Type.Array(Type.String()) }),
    ),
  }),
});
export type ProfileDescription = Static<typeof ProfileDescription>;

export const ProfileAnswer = Type.Object({ fargateProfile: ProfileDescription });
export const ProfilesAnswer = Type.Object({
  fargateProfileNames: Type.Array(Type.String()),
  nextToken: NullableText,
});
export const ClustersAnswer = Type.Object({ clusters: Type.Array(Type.String()), nextToken: NullableText });
export const EntriesAnswer = Type.Object({
  accessEntries: Type.Array(Type.String()),
  nextToken: NullableText,
});
export const EntryAnswer = Type.Object({
  accessEntry: Type.Object({
    clusterName: Type.String(),
    principalArn: Type.String(),
    kubernetesGroups: Type.Array(Type.String()),
    accessEntryArn: Type.String(),
    createdAt: Timestamp,
    modifiedAt: Timestamp,
    tags: Texts(),
    username: Type.String(),
    type: Type.Literal('FARGATE_LINUX'),
  }),
});
/** Access policies are for people; the entries of nodes have none. */
export const AssociatedPoliciesAnswer = Type.Object({
  clusterName: Type.String(),
  principalArn: Type.String(),
  associatedAccessPolicies: Type.Array(Type.Object({}), { maxItems: 0 }),
  nextToken: NullableText,
});
export const TagsAnswer = Type.Object({ tags: Texts() });
export const EmptyAnswer = Type.Object({});

/** The cluster as the API tells it; members that have no meaning here are left out. */
export const ClusterAnswer = Type.Object({
  cluster: Type.Object({
    name: Type.String(),
    arn: Type.String(),
    createdAt: Timestamp,
    version: Type.String(),
    endpoint: Type.String(),
    roleArn: Type.String(),
    resourcesVpcConfig: Type.Object({
      subnetIds: Type.Array(Type.String()),
      securityGroupIds: Type.Array(Type.String()),
      clusterSecurityGroupId: Type.String(),
      vpcId: Type.String(),
      endpointPublicAccess: Type.Boolean(),
      endpointPrivateAccess: Type.Boolean(),
      publicAccessCidrs: Type.Array(Type.String()),
    }),
    kubernetesNetworkConfig: Type.Object({ serviceIpv4Cidr: Type.String(), ipFamily: Type.Literal('ipv4') }),
    logging: Type.Object({
      clusterLogging: Type.Array(Type.Object({ types: Type.Array(Type.String()), enabled: Type.Boolean() })),
    }),
    identity: Type.Object({ oidc: Type.Object({ issuer: Type.String() }) }),
    status: Type.String(),
    certificateAuthority: Type.Object({ data: Type.String({ description: 'PEM in base64.' }) }),
    platformVersion: Type.String(),
    tags: Texts(),
    health: Type.Object({ issues: Type.Array(Type.Object({})) }),
    accessConfig: Type.Object({ authenticationMode: Type.String() }),
  }),
});

export const VersionsAnswer = Type.Object({
  clusterVersions: Type.Array(
    Type.Object({
      clusterVersion: Type.String(),
      clusterType: Type.String(),
      defaultPlatformVersion: Type.String(),
      defaultVersion: Type.Boolean(),
      status: Type.String(),
      versionStatus: Type.String(),
    }),
  ),
  nextToken: NullableText,
});

/** An error: the members of its type, null where not set, and the message; the type is in a header. */
export const ErrorAnswer = Type.Object(
  { message: Type.String() },
  { additionalProperties: true, description: 'The type of the error is in the header x-amzn-ErrorType.' },
);

/** The answers of a route: one when it goes well, and errors. */
export const responses = <T>(answer: T) => ({ 200: answer, '4xx': ErrorAnswer, '5xx': ErrorAnswer });
