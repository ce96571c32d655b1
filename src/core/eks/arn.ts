/** Amazon resource names of clusters, profiles, users and roles (spec/fargate.md §1.1, §1.8). */

/** Whose resources, and where. */
export interface Account {
  /** `aws`, `aws-cn` or `aws-us-gov`. */
  readonly partition: string;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
}

export const clusterArn = ({ partition, region, account }: Account, cluster: string): string =>
  `arn:${partition}:eks:${region}:${account}:cluster/${cluster}`;

/** @param uid 8-4-4-4-12 hexadecimal digits: the uid of the FargateProfile object */
export const profileArn = (
  { partition, region, account }: Account,
  cluster: string,
  profile: string,
  uid: string,
): string => `arn:${partition}:eks:${region}:${account}:fargateprofile/${cluster}/${profile}/${uid}`;

export const userArn = ({ partition, account }: Account, user: string): string =>
  `arn:${partition}:iam::${account}:user/${user}`;

export const assumedRoleArn = ({ partition, account }: Account, role: string, session: string): string =>
  `arn:${partition}:sts::${account}:assumed-role/${role}/${session}`;

/** A resource that tags can be put on. */
export type Taggable =
  | { readonly kind: 'cluster'; readonly cluster: string }
  | {
      readonly kind: 'profile';
      readonly cluster: string;
      readonly profile: string;
      readonly uid: string;
    };

/**
 * Reads the ARN of a taggable resource. `malformed`: no ARN of EKS at all; `elsewhere`: one of another
 * account, region or kind.
 */
export const parseTaggable = (arn: string, own: Account): Taggable | 'malformed' | 'elsewhere' => {
  const parts = /^arn:([^:]+):eks:([^:]*):([^:]*):([^:]+)$/.exec(arn);
  if (parts === null) return 'malformed';
  const [, partition, region, account, resource = ''] = parts;
  if (partition !== own.partition || region !== own.region || account !== own.account) return 'elsewhere';
  const [kind, ...names] = resource.split('/');
  if (names.includes('')) return 'elsewhere';
  const [cluster = '', profile = '', uid = ''] = names;
  if (kind === 'cluster' && names.length === 1) return { kind, cluster };
  if (kind === 'fargateprofile' && names.length === 3) return { kind: 'profile', cluster, profile, uid };
  return 'elsewhere';
};

/**
 * ARNs of roles without a path, with partition, account and name as groups: written so that JavaScript and the API
 * server (RE2) read the same.
 */
export const ROLE_ARN = '^arn:(aws[a-z-]*):iam::([0-9]{12}):role/([A-Za-z0-9_+=,.@-]{1,64})$';

const roleArn = new RegExp(ROLE_ARN);

/** A role by its ARN; undefined when it is no ARN of a role, or one with a path (spec/fargate.md §1.8). */
export const parseRole = (
  arn: string,
): { readonly partition: string; readonly account: string; readonly name: string } | undefined => {
  const parts = roleArn.exec(arn);
  if (parts === null) return undefined;
  const [, partition = '', account = '', name = ''] = parts;
  return { partition, account, name };
};
