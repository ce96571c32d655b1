/**
 * The whole decision about one pod, pure: which profile, whether it is supported, which size, which address.
 * The scheduler writes its outcome; `plan` and `why` will print the same.
 */
import { groupsOn } from '../groups/annotation.ts';
import { missingGroup } from '../groups/existence.ts';
import { tooManyGroups } from '../groups/policies.ts';
import type { Placement, Size } from '../machine/machine.ts';
import { type Opened, openedFor } from '../machine/opened.ts';
import {
  COMPUTE_TYPE,
  COMPUTE_TYPE_EC2,
  PROFILE_LABEL,
  TOO_LARGE_REASON,
  UNSUPPORTED_REASON,
} from '../names.ts';
import { dnsProblem, type NetworkLike } from '../net/network.ts';
import type { Occupancy, Room } from '../placement/occupancy.ts';
import { place } from '../placement/place.ts';
import { type Places, placesIn, regionAllowed, type SubnetLike, subnetsFor } from '../placement/subnets.ts';
import { suitabilityOf } from '../placement/suitability.ts';
import type { Neighbourhood } from '../placement/topology.ts';
import type { Pod } from '../pod.ts';
import { isOptedOut, type Matcher, type Profile, profileMatches } from '../profile/match.ts';
import { type LaunchRoles, type RoleUser, roleProblem } from '../roles/launch.ts';
import { requestsOf } from '../sizing/requests.ts';
import { sizeFor } from '../sizing/size.ts';
import type { Policy } from '../validation/policy.ts';
import { refusal, violationsOf } from '../validation/validate.ts';
import type { Claims } from '../validation/volumes.ts';
import { timedOut } from './timed-out.ts';

/** What the decision reads of a FargateProfile. */
export interface SchedulingProfile extends Profile {
  readonly metadata: RoleUser;
  readonly spec: Profile['spec'] & {
    readonly subnets?: readonly string[];
    readonly policy?: Policy;
    readonly podExecutionRoleArn?: string;
  };
}

/** Everything that the decision depends on. */
export interface Situation {
  readonly pod: Pod;
  readonly profiles: Matcher<SchedulingProfile>;
  readonly subnets: readonly SubnetLike[];
  readonly occupancy: Occupancy;
  /** Room of all hosts together. */
  readonly capacity: Room;
  readonly claims: Claims;
  /** Pods that have a node, for profiles that honour topology. */
  readonly neighbourhood?: Neighbourhood | undefined;
  readonly region: string;
  /** Where pods may run; undefined for the defaults. */
  readonly places?: Places;
  /** The network around the machines; undefined where no object describes it. */
  readonly network?: NetworkLike | undefined;
  /** Whether there is a security group of that name; undefined for all of them. */
  readonly groupExists?: (group: string) => boolean;
  /** What pod execution roles are judged by; undefined where the cluster has no account, and none is. */
  readonly roles?: LaunchRoles | undefined;
  /** The account may launch nothing at all. */
  readonly accountBlocked?: boolean;
  /** vCPU of all pods together, in thousandths; undefined for no limit (spec/fargate.md §11.3). */
  readonly quotaMilliCpu?: number;
}

/** Why a pod stays Pending: reason and message of its `PodScheduled` condition. */
export interface Refusal {
  readonly runs: false;
  readonly reason: typeof UNSUPPORTED_REASON | typeof TOO_LARGE_REASON | 'Unschedulable';
  readonly message: string;
  /** What people should know where the original's text does not say it. */
  readonly because?: string;
  /** Nothing stands in the way but claims that are not there or not bound yet. */
  readonly claimsOnly?: true;
}

/** The outcome for one pod. */
export type Verdict =
  | {
      readonly runs: true;
      readonly profile: string;
      readonly size: Size;
      readonly placement: Placement;
      /** What the profile's policy gives beyond the original, if anything. */
      readonly opened?: Opened | undefined;
    }
  | Refusal;

const no = (reason: Refusal['reason'], message: string): Refusal => ({ runs: false, reason, message });

/** The text of the original for a concurrency quota (spec/fargate.md §11.4). */
const QUOTA_REACHED =
  'Your AWS account has reached the limit on the number of Fargate pods it can run concurrently';

/** The text of the original for an account that may launch nothing (spec/fargate.md §11.4). */
const ACCOUNT_BLOCKED = 'Your AWS account is currently blocked and thus cannot launch any Fargate pods';

/**
 * Decides about a pod that admission has given to us.
 * @throws QuantityError when a quantity of the pod is malformed, which the API server does not store
 */
export const decide = (situation: Situation): Verdict => {
  const { pod, region } = situation;
  const places = placesIn(situation.places ?? {}, situation.network);
  const found = profileOf(situation);
  if (typeof found === 'string') return no('Unschedulable', found);
  if (!regionAllowed(region, places))
    return no('Unschedulable', `Fargate is not supported in the requested region: ${region}`);
  const misconfigured = situation.roles && roleProblem(found, situation.roles);
  if (misconfigured !== undefined) return { ...misconfigured, runs: false, reason: 'Unschedulable' };

  const { policy = {} } = found.spec;
  const violations = violationsOf(pod, policy, situation.claims);
  const refused = refusal(pod, violations);
  if (refused !== undefined) {
    const claimsOnly = violations.every(({ transient }) => transient);
    return { ...no(UNSUPPORTED_REASON, refused), ...(claimsOnly ? { claimsOnly } : {}) };
  }

  const sizing = sizeFor(requestsOf(pod));
  if ('tooLarge' in sizing) return no(sizing.tooLarge.reason, sizing.tooLarge.message);

  if (situation.accountBlocked) return no('Unschedulable', ACCOUNT_BLOCKED);
  const { quotaMilliCpu = Infinity, occupancy } = situation;
  if (occupancy.used.milliCpu + sizing.ok.milliCpu > quotaMilliCpu) return no('Unschedulable', QUOTA_REACHED);

  const subnets = subnetsFor(found.spec.subnets, situation.subnets, places);
  const { neighbourhood } = situation;
  const suitability = suitabilityOf(pod, { policy, region, usable: subnets.usable, neighbourhood });
  const placing = place({
    podUid: pod.metadata.uid ?? '',
    size: sizing.ok,
    region,
    subnets,
    occupancy: situation.occupancy,
    capacity: situation.capacity,
    ...(suitability && { suitability }),
  });
  if ('waits' in placing) return no('Unschedulable', placing.waits.message);
  const opened = openedFor(pod, policy);
  return (
    networkProblem(situation) ?? {
      runs: true,
      profile: found.metadata.name,
      size: sizing.ok,
      placement: placing.placement,
      ...(opened && { opened }),
    }
  );
};

/** What would keep a placed machine from joining: its groups, or a network without names. */
const networkProblem = ({ pod, network, groupExists = () => true }: Situation): Refusal | undefined => {
  const groups = groupsOn(pod);
  const wrong = tooManyGroups(groups) ?? missingGroup(groups, groupExists);
  if (wrong !== undefined) return no('Unschedulable', wrong);
  const because = dnsProblem(network);
  if (because === undefined) return undefined;
  const { namespace = 'default', name = '' } = pod.metadata;
  return { ...no('Unschedulable', timedOut({ namespace, name })), because };
};

/** The profile that admission chose, checked again (spec/fargate.md §14, row 13), or why there is none. */
const profileOf = ({ pod, profiles }: Situation): SchedulingProfile | string => {
  const { labels = {}, namespace = 'default' } = pod.metadata;
  const name = labels[PROFILE_LABEL];
  if (isOptedOut(pod)) return `annotation ${COMPUTE_TYPE}: ${COMPUTE_TYPE_EC2} keeps the pod off Fargate`;
  if (name === undefined)
    return `the pod has no label ${PROFILE_LABEL}; delete it so that it is matched anew`;
  const profile = profiles.get(name);
  if (profile === undefined) {
    return `Fargate profile ${name} does not exist; create it, or delete the pod so that it is matched anew`;
  }
  return profileMatches(profile, labels, namespace)
    ? profile
    : `Fargate profile ${name} no longer matches the pod; delete the pod so that it is matched anew`;
};
