/**
 * Whether nodes may be launched with a profile's pod execution role, and whether a profile may be made with it: the
 * role is there, trusts the service, and is mapped (spec/fargate.md §1.3, §1.8, §11.4).
 */
import { type Account, profileArn } from '../eks/arn.ts';
import { mayLaunch } from './mapping.ts';
import { distrust, FARGATE_PODS } from './trust.ts';

/** A role as a PodExecutionRole tells of it. */
export interface ExecutionRole {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly arn: string; readonly assumeRolePolicyDocument: unknown };
}

/** What tells whether a role can be taken, and for whom that is asked. */
export interface Roles {
  /** All roles there are. Where there is none, nobody tells us of roles, and every one counts as good. */
  readonly roles: readonly ExecutionRole[];
  readonly account: Account;
  readonly cluster: string;
}

/** The same, and the list `mapRoles` of `aws-auth`; undefined where it is not known. */
export interface LaunchRoles extends Roles {
  readonly mapRoles: readonly unknown[] | undefined;
}

/** The profile that a role is taken for. One that is not stored yet has no uid. */
export interface RoleUser {
  readonly name: string;
  readonly uid?: string | undefined;
}

/** Why the service cannot take the role for that profile; undefined when it can. One sentence for people. */
export const assumeProblem = (
  arn: string,
  { name, uid = '' }: RoleUser,
  { roles, account, cluster }: Roles,
): string | undefined => {
  if (roles.length === 0) return undefined;
  const named = roles.filter(({ spec }) => spec.arn === arn);
  if (named.length === 0) return `there is no PodExecutionRole with the ARN ${arn}`;
  const context = new Map([
    ['aws:sourcearn', profileArn(account, cluster, name, uid)],
    ['aws:sourceaccount', account.account],
  ]);
  const problems = named.flatMap(({ metadata, spec }) => {
    const problem = distrust(spec.assumeRolePolicyDocument, context);
    return problem === undefined ? [] : [`PodExecutionRole ${metadata.name}: ${problem}`];
  });
  return problems.length === 0 ? undefined : problems.join('; ');
};

/** Why no profile can be made with the role, in the text of the original (§1.3); undefined when one can. */
export const checkTrust = (arn: string, profile: RoleUser, roles: Roles): string | undefined =>
  assumeProblem(arn, profile, roles) === undefined
    ? undefined
    : `Misconfigured PodExecutionRole Trust Policy; Please add the ${FARGATE_PODS} Service Principal`;

/** What is read of a profile whose pods are to be launched. */
interface LaunchingProfile {
  readonly metadata: RoleUser;
  readonly spec: { readonly podExecutionRoleArn?: string };
}

/** Why nodes are not launched: the original's text (§11.4), and what people should know beside it. */
export interface RoleProblem {
  readonly message: string;
  readonly because?: string;
}

const blocked = (profile: string, cause: string): string =>
  `Misconfigured Fargate Profile: fargate profile ${profile} blocked for new launches due to: ${cause}`;

const NOT_ASSUMED = `Failed to assume PodExecutionRole; Please make sure the role exists and trusts the ${FARGATE_PODS} service principal`;
const NOT_MAPPED =
  'Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods.';

/** Why the profile's role keeps its pods waiting; undefined when it does not. */
export const roleProblem = (
  { metadata, spec: { podExecutionRoleArn: arn } }: LaunchingProfile,
  roles: LaunchRoles,
): RoleProblem | undefined => {
  if (arn === undefined) return undefined;
  const because = assumeProblem(arn, metadata, roles);
  if (because !== undefined) return { message: blocked(metadata.name, NOT_ASSUMED), because };
  return roles.mapRoles === undefined || mayLaunch(roles.mapRoles, arn)
    ? undefined
    : { message: blocked(metadata.name, NOT_MAPPED) };
};
