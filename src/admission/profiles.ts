/** Limits of profiles that no schema can see, because they look at other objects (spec/fargate.md §1.3, §1.4). */
import type { Subnet } from '../api/subnet.ts';
import { subnetsFor } from '../core/placement/subnets.ts';
import type { Profiles } from './pods.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** Profiles per cluster, unless lifted (§1.4). */
const MAX_PROFILES = 10;

/** What profiles are judged by. */
export interface ProfileLimits {
  readonly profiles: Profiles;
  readonly maxProfiles?: number;
  /** Without it, the subnets that a profile names are judged by the scheduler only. */
  readonly subnets?: () => readonly Subnet[];
}

const namedSubnets = (spec: object): readonly string[] =>
  'subnets' in spec && Array.isArray(spec.subnets)
    ? spec.subnets.filter((name) => typeof name === 'string')
    : [];

/** Answers reviews of profiles: how many there are, and whether the subnets they name can be used. */
export const profileReviewer =
  ({ profiles, maxProfiles = MAX_PROFILES, subnets }: ProfileLimits) =>
  (request: AdmissionRequest): Answer => {
    const others = profiles().filter((profile) => profile.metadata.name !== request.name);
    if (request.operation === 'CREATE' && others.length >= maxProfiles)
      return refuse(
        `The cluster has ${others.length} Fargate profiles, and ${maxProfiles} is the limit. Delete one, or raise the limit.`,
      );
    const named = namedSubnets(request.object.spec);
    if (subnets === undefined || named.length === 0) return { allowed: true };
    const { problems } = subnetsFor(named, subnets());
    return problems.length === 0 ? { allowed: true } : refuse(problems.join('; '));
  };
