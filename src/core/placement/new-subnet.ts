/** What a subnet is refused for when it is made, in the words of EC2 (EC2 API reference, "Error codes"). */
import { liesWithin, type NetworkLike } from '../net/network.ts';

/** What is read of a subnet. */
interface Ranged {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly cidr: string };
}

/** What a new subnet must fit into. */
export interface Vpc {
  readonly subnets: readonly Ranged[];
  /** Without it, a subnet may lie anywhere. */
  readonly network: NetworkLike | undefined;
}

const inWords = (code: 'Range' | 'Conflict', words: string): string =>
  `An error occurred (InvalidSubnet.${code}) when calling the CreateSubnet operation: ${words}`;

/** Networks are nested or apart: nothing else overlaps. */
const overlap = (one: string, other: string): boolean => liesWithin(one, [other]) || liesWithin(other, [one]);

/** Why a subnet cannot be made: it lies outside the network, or where another one does; undefined when it can. */
export const newSubnetProblem = (
  { metadata, spec: { cidr } }: Ranged,
  { subnets, network }: Vpc,
): string | undefined => {
  if (network !== undefined && !liesWithin(cidr, network.spec.cidrs)) {
    const cidrs = network.spec.cidrs.join(', ');
    const words = `The CIDR '${cidr}' is invalid. It lies in none of the network's CIDRs, ${cidrs}: add one for it to the Network first`;
    return inWords('Range', words);
  }
  const other = subnets.find((one) => one.metadata.name !== metadata.name && overlap(cidr, one.spec.cidr));
  return (
    other &&
    inWords(
      'Conflict',
      `The CIDR '${cidr}' conflicts with another subnet: ${other.metadata.name} (${other.spec.cidr})`,
    )
  );
};
