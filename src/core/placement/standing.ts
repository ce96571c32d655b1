/** What people are told of network, subnets and profiles in their status: whether pods can use them. */
import type { Verdict } from '../conditions.ts';
import { dnsProblem, type NetworkLike } from '../net/network.ts';
import type { Occupancy } from './occupancy.ts';
import {
  launchText,
  type Places,
  type SubnetLike,
  subnetProblem,
  subnetsFor,
  usableAddresses,
} from './subnets.ts';

/** Condition types. */
const DNS_READY = 'DNSReady';
const USABLE = 'Usable';
export const NETWORK_READY = 'NetworkReady';

const verdict = (type: string, reason: string, problem: string | undefined, well: string): Verdict =>
  problem === undefined
    ? { type, status: 'True', reason: 'AsNeeded', message: well }
    : { type, status: 'False', reason, message: problem };

/** Whether machines find names in the network. */
export const networkStanding = (network: NetworkLike): Verdict =>
  verdict(DNS_READY, 'AttributeOff', dnsProblem(network), 'dnsSupport and dnsHostnames are on');

/** What is told of a subnet. */
export interface SubnetStanding {
  /** Addresses that are free. */
  readonly available: number;
  readonly usable: Verdict;
}

/** @param occupancy machines that exist or are being made */
export const subnetStanding = (
  subnet: SubnetLike,
  places: Places,
  occupancy: Pick<Occupancy, 'inUse'>,
): SubnetStanding => {
  const { name } = subnet.metadata;
  const problem = subnetProblem(name, subnet, places);
  const [usable] = subnetsFor([name], [subnet], places).usable;
  const available = usable ? Math.max(0, usableAddresses(usable.network) - occupancy.inUse(name)) : 0;
  const full = available === 0 ? 'all addresses are in use' : undefined;
  return {
    available,
    usable: problem
      ? verdict(USABLE, 'Unsuitable', launchText(problem), '')
      : verdict(USABLE, 'Exhausted', full, 'pods can be placed in it'),
  };
};

/** Whether a profile's pods have a subnet and names. */
export const profileStanding = (
  named: readonly string[] | undefined,
  subnets: readonly SubnetLike[],
  places: Places,
  network: NetworkLike | undefined,
): Verdict => {
  const { usable, problems } = subnetsFor(named, subnets, places);
  if (usable.length === 0) return verdict(NETWORK_READY, 'NoSubnet', problems.join('; '), '');
  return verdict(NETWORK_READY, 'DnsOff', dnsProblem(network), 'its pods have subnets and names');
};
