import { describe, expect, it } from 'vitest';
import { newSubnetProblem } from './new-subnet.ts';

const subnet = (name: string, cidr: string) => ({ metadata: { name }, spec: { cidr } });
const SUBNETS = [subnet('a', '10.42.64.0/20'), subnet('b', '10.42.80.0/20')];
const network = { spec: { cidrs: ['10.42.0.0/16', '100.64.0.0/16'], clusterSecurityGroup: 'sg' } };

const conflict = (cidr: string, other: string): string =>
  `An error occurred (InvalidSubnet.Conflict) when calling the CreateSubnet operation: The CIDR '${cidr}' conflicts with another subnet: ${other}`;
const range = (cidr: string): string =>
  `An error occurred (InvalidSubnet.Range) when calling the CreateSubnet operation: The CIDR '${cidr}' is invalid. It lies in none of the network's CIDRs, 10.42.0.0/16, 100.64.0.0/16: add one for it to the Network first`;

describe('newSubnetProblem', () => {
  it.each([
    ['beside the others', '10.42.96.0/20', undefined],
    ['in a further network', '100.64.0.0/24', undefined],
    ['the same as another', '10.42.64.0/20', conflict('10.42.64.0/20', 'a (10.42.64.0/20)')],
    ['within another', '10.42.95.240/28', conflict('10.42.95.240/28', 'b (10.42.80.0/20)')],
    ['around others', '10.42.64.0/18', conflict('10.42.64.0/18', 'a (10.42.64.0/20)')],
    ['outside', '10.43.0.0/24', range('10.43.0.0/24')],
    ['partly outside', '10.42.0.0/15', range('10.42.0.0/15')],
  ])('%s', (_, cidr, expected) => {
    expect(newSubnetProblem(subnet('new', cidr), { subnets: SUBNETS, network })).toBe(expected);
  });

  it('lets a subnet lie anywhere while there is no network', () => {
    const world = { subnets: SUBNETS, network: undefined };
    expect(newSubnetProblem(subnet('new', '10.43.0.0/24'), world)).toBeUndefined();
  });

  it('leaves it to the API server to say that there is one of that name', () => {
    expect(newSubnetProblem(subnet('a', '10.42.64.0/20'), { subnets: SUBNETS, network })).toBeUndefined();
  });
});
