import { describe, expect, it } from 'vitest';
import { networkStanding, profileStanding, subnetStanding } from './standing.ts';

const network = (attributes: object = {}) => ({
  spec: { cidrs: ['10.0.0.0/16'], clusterSecurityGroup: 'sg', ...attributes },
});
const subnet = (cidr: string, type: 'private' | 'public' = 'private') => ({
  metadata: { name: 'a' },
  spec: { cidr, zone: 'z', type },
});
const places = { cidrs: ['10.0.0.0/16'] };
const inUse = (count: number) => ({ inUse: () => count });

describe('what is told of a network', () => {
  it.each([
    [{}, 'True', 'AsNeeded'],
    [{ dnsSupport: false }, 'False', 'AttributeOff'],
    [{ dnsHostnames: false }, 'False', 'AttributeOff'],
  ])('with %j', (attributes, status, reason) => {
    expect(networkStanding(network(attributes))).toMatchObject({ type: 'DNSReady', status, reason });
  });
});

describe('what is told of a subnet', () => {
  it.each([
    ['10.0.0.0/28', 'private', 3, 8, 'AsNeeded'],
    ['10.0.0.0/28', 'private', 11, 0, 'Exhausted'],
    ['10.0.0.0/28', 'public', 0, 0, 'Unsuitable'],
    ['10.1.0.0/28', 'private', 0, 0, 'Unsuitable'],
  ] as const)('%s, %s, %i in use', (cidr, type, used, available, reason) => {
    expect(subnetStanding(subnet(cidr, type), places, inUse(used))).toMatchObject({
      available,
      usable: { type: 'Usable', reason },
    });
  });
});

describe('what is told of a profile', () => {
  it.each([
    [['a'], network(), 'AsNeeded'],
    [undefined, network(), 'AsNeeded'],
    [['b'], network(), 'NoSubnet'],
    [['a'], network({ dnsSupport: false }), 'DnsOff'],
    [['a'], undefined, 'AsNeeded'],
  ])('with subnets %j in %j', (named, around, reason) => {
    expect(profileStanding(named, [subnet('10.0.0.0/28')], places, around)).toMatchObject({
      type: 'NetworkReady',
      reason,
    });
  });
});
