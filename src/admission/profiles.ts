/** Limits of profiles that no schema can see, because they look at other objects (spec/fargate.md §1.3, §1.4). */
import type { Subnet } from '../api/subnet.ts';
import type { Places } from '../core/placement/subnets.ts';
import { checkChangedSubnets, checkCount, checkSubnets, LIMITS } from '../core/profile/rules.ts';
import { checkTrust, type Roles } from '../core/roles/launch.ts';
import type { Profiles } from './pods.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** What profiles are judged by. */
export interface ProfileLimits {
  readonly profiles: Profiles;
  readonly maxProfiles?: number;
  /** Without it, the subnets that a profile names are judged by the scheduler only. */
  readonly subnets?: () => readonly Subnet[];
  /** Where pods may run; the defaults where it is left out. */
  readonly places?: () => Places;
  /** Pod execution roles as they are now; without it, they are judged by the scheduler only. */
  readonly roles?: () => Promise<Roles>;
  /** The region that the cluster is in; without it, regions are judged by the scheduler only. */
  readonly region?: string;
}

const namedSubnets = (spec: object | undefined): readonly string[] =>
  spec !== undefined && 'subnets' in spec && Array.isArray(spec.subnets)
    ? spec.subnets.filter((name) => typeof name === 'string')
    : [];

const roleOf = (spec: object | undefined): string | undefined =>
  spec !== undefined && 'podExecutionRoleArn' in spec && typeof spec.podExecutionRoleArn === 'string'
    ? spec.podExecutionRoleArn
    : undefined;

/** Why the role that a profile comes with cannot be its own; undefined when it can. */
const roleRefusal = async (
  { name = '', object, oldObject }: AdmissionRequest,
  roles: ProfileLimits['roles'],
): Promise<string | undefined> => {
  const role = roleOf(object.spec);
  if (role === undefined || role === roleOf(oldObject?.spec)) return undefined;
  return roles && checkTrust(role, { name, uid: object.metadata.uid }, await roles());
};

/**
 * Answers reviews of profiles: how many there are, whether the service may take their role, and whether the subnets
 * they name can be used. A profile whose role and subnets stay as they were is not judged by them again: it must be
 * possible to change and to delete it after they are gone.
 */
export const profileReviewer =
  ({ profiles, maxProfiles = LIMITS.profiles, subnets, places, roles, region = '' }: ProfileLimits) =>
  async (request: AdmissionRequest): Promise<Answer> => {
    const { operation, name, object, oldObject } = request;
    const others = profiles().filter(({ metadata }) => metadata.name !== name);
    const full =
      operation === 'CREATE' ? checkCount(others.length, { ...LIMITS, profiles: maxProfiles }) : undefined;
    if (full !== undefined) return refuse(full);
    const distrusted = await roleRefusal(request, roles);
    if (distrusted !== undefined) return refuse(distrusted);
    const named = namedSubnets(object.spec);
    if (subnets === undefined) return { allowed: true };
    const problem =
      operation === 'CREATE'
        ? checkSubnets(named, subnets(), region, places?.())
        : checkChangedSubnets(named, namedSubnets(oldObject?.spec), subnets(), region, places?.());
    return problem === undefined ? { allowed: true } : refuse(problem);
  };
