import { describe, expect, it } from 'vitest';
import { dnsProblem, liesWithin, type NetworkLike } from './network.ts';

const network = (attributes: Partial<NetworkLike['spec']>): NetworkLike => ({
  spec: { cidrs: ['10.42.0.0/16'], clusterSecurityGroup: 'sg', ...attributes },
});

describe('dnsProblem', () => {
  it.each<[string, NetworkLike | undefined, string | undefined]>([
    ['no network object', undefined, undefined],
    ['attributes left out', network({}), undefined],
    ['both on', network({ dnsSupport: true, dnsHostnames: true }), undefined],
    [
      'resolution off',
      network({ dnsSupport: false }),
      `dnsSupport of the network is off, so machines cannot join: kubectl patch network cluster --type merge -p '{"spec":{"dnsSupport":true}}'`,
    ],
    [
      'both off',
      network({ dnsSupport: false, dnsHostnames: false }),
      `dnsSupport and dnsHostnames of the network are off, so machines cannot join: kubectl patch network cluster --type merge -p '{"spec":{"dnsSupport":true,"dnsHostnames":true}}'`,
    ],
  ])('%s', (_, given, expected) => {
    expect(dnsProblem(given)).toBe(expected);
  });
});

describe('liesWithin', () => {
  it.each([
    ['10.42.64.0/20', ['10.42.0.0/16'], true],
    ['10.42.0.0/16', ['10.42.0.0/16'], true],
    ['100.64.0.0/24', ['10.42.0.0/16', '100.64.0.0/16'], true],
    ['10.43.0.0/20', ['10.42.0.0/16'], false],
    ['10.0.0.0/8', ['10.42.0.0/16'], false],
    ['10.42.0.0/24', ['fd00::/56'], false],
    ['nonsense', ['0.0.0.0/0'], false],
  ])('%s in %j: %s', (cidr, cidrs, expected) => {
    expect(liesWithin(cidr, cidrs)).toBe(expected);
  });
});
