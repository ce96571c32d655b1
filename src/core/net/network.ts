/** The network around the machines, as decisions read it (spec/fargate.md §6). */
import { parseNetwork } from './ipv4.ts';

/** Name of the one Network object. */
export const NETWORK = 'cluster';

/** What is read of a Network object. A DNS attribute that is left out is on. */
export interface NetworkLike {
  readonly spec: {
    /** Networks that subnets lie in, the primary one first. */
    readonly cidrs: readonly string[];
    readonly dnsSupport?: boolean;
    readonly dnsHostnames?: boolean;
    readonly clusterSecurityGroup: string;
  };
}

/** "VPC must have DNS resolution and DNS hostnames on": the attributes that are off. */
export const dnsOff = (network: NetworkLike | undefined): readonly ('dnsSupport' | 'dnsHostnames')[] =>
  (['dnsSupport', 'dnsHostnames'] as const).filter((attribute) => network?.spec[attribute] === false);

/** The attributes of a network whose absence keeps machines from joining. */
type DnsAttribute = ReturnType<typeof dnsOff>[number];

/** The command that switches attributes on. */
export const dnsRemedy = (off: readonly DnsAttribute[]): string => {
  const spec = Object.fromEntries(off.map((attribute) => [attribute, true]));
  return `kubectl patch network ${NETWORK} --type merge -p '${JSON.stringify({ spec })}'`;
};

/** Why machines cannot join, and what to do about it; undefined when both attributes are on. */
export const dnsProblem = (network: NetworkLike | undefined): string | undefined => {
  const off = dnsOff(network);
  const verb = off.length === 1 ? 'is' : 'are';
  return off.length === 0
    ? undefined
    : `${off.join(' and ')} of the network ${verb} off, so machines cannot join: ${dnsRemedy(off)}`;
};

/** Whether an IPv4 network lies within one of several; the text of one that is none lies nowhere. */
export const liesWithin = (cidr: string, cidrs: readonly string[]): boolean => {
  const inner = parseNetwork(cidr);
  return cidrs.some((text) => {
    const outer = parseNetwork(text);
    return (
      inner !== undefined &&
      outer !== undefined &&
      inner.first >= outer.first &&
      inner.first + inner.size <= outer.first + outer.size
    );
  });
};
