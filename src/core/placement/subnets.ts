/** Which subnets a profile's pods may use, and which addresses in them (spec/fargate.md §1.7). */
import { type Network, parseNetwork } from '../net/ipv4.ts';
import { liesWithin, type NetworkLike } from '../net/network.ts';

/** What placement reads of a Subnet object. */
export interface SubnetLike {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly cidr: string;
    readonly zone: string;
    readonly type: 'private' | 'public';
    readonly zoneType?: string;
  };
}

/** A subnet that machines can be placed in. */
export interface UsableSubnet {
  readonly name: string;
  readonly zone: string;
  readonly network: Network;
}

/** The subnets of a profile that can be used, and one sentence for each that cannot. */
export interface SubnetChoice {
  readonly usable: readonly UsableSubnet[];
  readonly problems: readonly string[];
}

/** The first four addresses and the last of each subnet are not given out (AWS "Subnet sizing"). */
export const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

/** How many addresses of a network machines can have. */
export const usableAddresses = (network: Network): number =>
  Math.max(0, network.size - RESERVED_FIRST - RESERVED_LAST);

/** Where pods may run at all, as the operator allows it (spec/fargate.md §12). */
export interface Places {
  /** Regions; undefined for every region but the excluded two. */
  readonly regions?: readonly string[];
  /** Availability zones; undefined for all of them. */
  readonly zones?: readonly string[];
  /** Networks that subnets must lie in; undefined where no Network object says. */
  readonly cidrs?: readonly string[];
}

/** The places that are left within a network. */
export const placesIn = (places: Places, network: NetworkLike | undefined): Places =>
  network === undefined ? places : { ...places, cidrs: network.spec.cidrs };

/** The regions that the original leaves out unless it is told otherwise (spec/fargate.md §12, §14 row 8). */
const EXCLUDED_REGIONS = ['us-gov-east-1', 'us-gov-west-1'];

/** Whether pods may run in a region. */
export const regionAllowed = (region: string, { regions }: Places): boolean =>
  regions === undefined ? !EXCLUDED_REGIONS.includes(region) : regions.includes(region);

/** Why pods cannot run in a subnet. */
export type SubnetProblem =
  | { readonly kind: 'absent' | 'public'; readonly subnet: string }
  | { readonly kind: 'zone'; readonly subnet: string; readonly zone: string }
  | { readonly kind: 'network'; readonly subnet: string; readonly cidr: string }
  | {
      readonly kind: 'outside';
      readonly subnet: string;
      readonly cidr: string;
      readonly cidrs: readonly string[];
    };

/**
 * Looks at one subnet. The zone must be an availability zone, and an allowed one; the addresses must be the
 * network's.
 * @param subnet undefined when there is none of that name
 */
export const subnetProblem = (
  name: string,
  subnet: SubnetLike | undefined,
  { zones, cidrs }: Places = {},
): SubnetProblem | undefined => {
  if (subnet === undefined) return { kind: 'absent', subnet: name };
  const { type, zone, zoneType = 'availability-zone', cidr } = subnet.spec;
  if (type !== 'private') return { kind: 'public', subnet: name };
  if (zoneType !== 'availability-zone' || zones?.includes(zone) === false)
    return { kind: 'zone', subnet: name, zone };
  if (parseNetwork(cidr) === undefined) return { kind: 'network', subnet: name, cidr };
  return cidrs === undefined || liesWithin(cidr, cidrs)
    ? undefined
    : { kind: 'outside', subnet: name, cidr, cidrs };
};

/** The problem as a launch into the subnet tells it (spec/fargate.md §11.4). */
export const launchText = (problem: SubnetProblem): string => {
  switch (problem.kind) {
    case 'absent':
      return `Subnet ${problem.subnet} provided in Fargate Profile does not exist`;
    case 'public':
      return `Subnet ${problem.subnet} provided in Fargate Profile is not a private subnet`;
    case 'zone':
      return `Fargate is not supported in the requested availability zone: ${problem.zone}`;
    case 'network':
      return `Subnet ${problem.subnet} has no valid IPv4 network: ${problem.cidr}`;
    case 'outside':
      return `Subnet ${problem.subnet} (${problem.cidr}) lies in none of the network's CIDRs: ${problem.cidrs.join(', ')}`;
  }
};

/** The problem as a profile that names the subnet is refused with (spec/fargate.md §1.3). */
export const profileText = (problem: SubnetProblem): string =>
  problem.kind === 'zone'
    ? `Fargate Profile creation for the Availability Zone ${problem.zone} for Subnet ${problem.subnet} is not supported`
    : launchText(problem);

/**
 * Resolves a profile's subnets: those it names, or all that pods can run in when it names none.
 * @param named `spec.subnets` of the profile
 */
export const subnetsFor = (
  named: readonly string[] | undefined,
  all: readonly SubnetLike[],
  places: Places = {},
): SubnetChoice => {
  const usable: UsableSubnet[] = [];
  const problems: string[] = [];
  const byName = new Map(all.map((subnet) => [subnet.metadata.name, subnet]));
  const chosen = named && named.length > 0 ? named : undefined;
  for (const name of chosen ?? byName.keys()) {
    const subnet = byName.get(name);
    const problem = subnetProblem(name, subnet, places);
    const network = parseNetwork(subnet?.spec.cidr ?? '');
    if (problem === undefined && subnet && network) usable.push({ name, zone: subnet.spec.zone, network });
    else if (chosen !== undefined && problem !== undefined) problems.push(launchText(problem));
  }
  if (chosen === undefined && usable.length === 0) problems.push('The cluster has no private subnet');
  return { usable, problems };
};
