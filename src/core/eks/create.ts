/** Requests that change profiles: whether they may go on, checked in the order of spec/fargate.md §1.3. */
import type { Places, SubnetLike } from '../placement/subnets.ts';
import { type Selectors, sameSelectors } from '../profile/live.ts';
import {
  checkChangedSubnets,
  checkCount,
  checkName,
  checkSelectors,
  checkSubnets,
  checkTags,
  type ProfileLimits,
  type RawSelector,
} from '../profile/rules.ts';
import { checkTrust, type ExecutionRole, type RoleUser } from '../roles/launch.ts';
import { type Account, parseRole } from './arn.ts';
import type { Refusal } from './errors.ts';

/** A profile's state (spec/fargate.md §1.6). */
export type ProfileStatus = 'CREATING' | 'ACTIVE' | 'DELETING' | 'CREATE_FAILED' | 'DELETE_FAILED';

/** What is read of a profile that exists. */
export interface ExistingProfile {
  readonly metadata: RoleUser & { readonly deletionTimestamp?: string | undefined };
  readonly spec: {
    readonly selectors: Selectors;
    readonly podExecutionRoleArn?: string;
    readonly subnets?: readonly string[];
  };
  readonly status?:
    | {
        readonly status?: ProfileStatus;
        readonly selectors?: Selectors;
        readonly podExecutionRoleArn?: string;
      }
    | undefined;
}

/** ACTIVE was told of the very selectors and the role that it has now. */
export const isAnnounced = ({ spec, status }: ExistingProfile): boolean =>
  status?.status === 'ACTIVE' &&
  status.podExecutionRoleArn === spec.podExecutionRoleArn &&
  sameSelectors(spec.selectors, status.selectors ?? []);

/**
 * The state of a profile. One that nobody has looked at yet is being created, and so is one whose selectors or
 * role were changed, until they are live; one that is being deleted says so from the first moment, unless that has failed.
 */
export const profileStatus = (profile: ExistingProfile): ProfileStatus => {
  const told = profile.status?.status;
  if (profile.metadata.deletionTimestamp !== undefined) return told === 'DELETE_FAILED' ? told : 'DELETING';
  return told === 'ACTIVE' && !isAnnounced(profile) ? 'CREATING' : (told ?? 'CREATING');
};

/** The parts of a profile that callers choose. Null counts as absent. */
export interface ProfileInput {
  readonly podExecutionRoleArn?: string | null | undefined;
  readonly selectors?: readonly RawSelector[] | null | undefined;
  readonly subnets?: readonly string[] | null | undefined;
  readonly tags?: Readonly<Record<string, string>> | null | undefined;
}

/** The cluster, as far as requests depend on it. */
export interface ClusterView {
  readonly name: string;
  readonly status: 'ACTIVE' | 'CREATING' | 'DELETING' | 'FAILED' | 'UPDATING' | 'PENDING';
  readonly account: Account;
  readonly profiles: readonly ExistingProfile[];
  readonly roles: readonly ExecutionRole[];
  readonly subnets: readonly SubnetLike[];
  readonly places: Places;
  readonly limits: ProfileLimits;
  /** Whether at most one profile may be created or deleted at a time. */
  readonly oneAtATime: boolean;
}

export const noCluster = (cluster: string): Refusal => ({
  type: 'ResourceNotFoundException',
  message: `No cluster found for name: ${cluster}.`,
  members: { clusterName: cluster },
});

export const noProfile = (cluster: string, profile: string): Refusal => ({
  type: 'ResourceNotFoundException',
  message: `No Fargate Profile found with name: ${profile}.`,
  members: { clusterName: cluster, fargateProfileName: profile },
});

export const nameTaken = (cluster: string): Refusal => ({
  type: 'ResourceInUseException',
  message: 'A Fargate Profile already exists with this name in this cluster.',
  members: { clusterName: cluster },
});

const invalid = (message: string, clusterName: string, fargateProfileName: string): Refusal => ({
  type: 'InvalidParameterException',
  message,
  members: { clusterName, fargateProfileName },
});

/** Changes that are under way, and so keep others waiting. */
const BUSY: readonly ProfileStatus[] = ['CREATING', 'DELETING'];

/** The refusal while another profile changes (spec/fargate.md §1.3, §1.6). */
const busyWith = (
  verb: 'create' | 'delete' | 'update',
  cluster: string,
  profile: string,
  other: { readonly name: string; readonly status: ProfileStatus },
): Refusal => ({
  type: 'ResourceInUseException',
  message: `Cannot ${verb} Fargate Profile ${profile} because cluster ${cluster} currently has Fargate profile ${other.name} in status ${other.status}`,
  members: { clusterName: cluster },
});

const busy = (
  verb: 'create' | 'delete' | 'update',
  { oneAtATime, profiles, name }: ClusterView,
  profile: string,
): Refusal | undefined => {
  if (!oneAtATime) return undefined;
  const other = profiles.find((one) => one.metadata.name !== profile && BUSY.includes(profileStatus(one)));
  if (other === undefined) return undefined;
  return busyWith(verb, name, profile, { name: other.metadata.name, status: profileStatus(other) });
};

/** The pod execution role's form, and whether it trusts the service (spec/fargate.md §1.8). */
const checkRole = (
  arn: string | null | undefined,
  profile: RoleUser,
  { name, account, roles }: ClusterView,
): string | undefined =>
  parseRole(arn ?? '') === undefined
    ? `podExecutionRoleArn ${JSON.stringify(arn ?? '')} must have the form arn:aws:iam::<account>:role/<name>, with no path`
    : checkTrust(arn ?? '', profile, { roles, account, cluster: name });

/** First wrong parameter of a profile. */
const checkInput = (profile: string, input: ProfileInput, cluster: ClusterView): string | undefined =>
  checkSelectors(input.selectors, cluster.limits) ??
  checkRole(input.podExecutionRoleArn, { name: profile }, cluster) ??
  checkSubnets(input.subnets, cluster.subnets, cluster.account.region, cluster.places) ??
  checkTags(input.tags);

/**
 * Why a profile cannot be created; undefined when it can. Order: the cluster, the name, whether it is free, the
 * cluster's state, the parameters, other changes, the quota.
 */
export const refuseCreate = (
  profile: string,
  input: ProfileInput,
  cluster: ClusterView,
): Refusal | undefined => {
  const wrongName = checkName(profile);
  if (wrongName !== undefined) return invalid(wrongName, cluster.name, profile);
  if (cluster.profiles.some(({ metadata }) => metadata.name === profile)) return nameTaken(cluster.name);
  if (cluster.status !== 'ACTIVE') return notActive(cluster.name);
  const wrong = checkInput(profile, input, cluster);
  if (wrong !== undefined) return invalid(wrong, cluster.name, profile);
  const other = busy('create', cluster, profile);
  if (other !== undefined) return other;
  const full = checkCount(cluster.profiles.length, cluster.limits);
  return full === undefined
    ? undefined
    : {
        type: 'ResourceLimitExceededException',
        message: full,
        members: { clusterName: cluster.name },
      };
};

const notActive = (clusterName: string): Refusal => ({
  type: 'InvalidRequestException',
  message: `Cluster '${clusterName}' is not in ACTIVE status`,
  members: { clusterName },
});

/** Why a profile cannot be deleted. One that is being deleted already may be asked for again. */
export const refuseDelete = (profile: string, cluster: ClusterView): Refusal | undefined => {
  const found = cluster.profiles.find(({ metadata }) => metadata.name === profile);
  if (found === undefined) return noProfile(cluster.name, profile);
  return busy('delete', cluster, profile);
};

/** A role that stays as it was is not judged again: what is wrong with it must not keep anything else from changing. */
const checkChangedRole = (
  arn: string | null | undefined,
  { metadata, spec }: ExistingProfile,
  cluster: ClusterView,
): string | undefined =>
  arn == null || arn === spec.podExecutionRoleArn ? undefined : checkRole(arn, metadata, cluster);

/** Why a profile cannot be updated; `input` is the profile as it would be afterwards. */
export const refuseUpdate = (
  profile: string,
  input: ProfileInput,
  cluster: ClusterView,
): Refusal | undefined => {
  const found = cluster.profiles.find(({ metadata }) => metadata.name === profile);
  if (found === undefined) return noProfile(cluster.name, profile);
  if (cluster.status !== 'ACTIVE') return notActive(cluster.name);
  const wrong =
    checkSelectors(input.selectors, cluster.limits) ??
    checkChangedRole(input.podExecutionRoleArn, found, cluster) ??
    checkChangedSubnets(
      input.subnets ?? [],
      found.spec.subnets,
      cluster.subnets,
      cluster.account.region,
      cluster.places,
    );
  if (wrong !== undefined) return invalid(wrong, cluster.name, profile);
  const status = profileStatus(found);
  return BUSY.includes(status)
    ? busyWith('update', cluster.name, profile, { name: profile, status })
    : undefined;
};
