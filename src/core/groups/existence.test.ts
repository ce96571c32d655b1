import { describe, expect, it } from 'vitest';
import {
  type Dependents,
  dependencyViolation,
  dependentsOfGroup,
  dependentsOfList,
  missingGroup,
} from './existence.ts';

describe('a group that does not exist', () => {
  const exists = (group: string): boolean => group.startsWith('sg-here');

  it('is named in the text of spec §6.1', () => {
    expect(missingGroup(['sg-here', 'sg-gone', 'sg-away'], exists)).toBe(
      "An error occurred (InvalidSecurityGroupID.NotFound) when calling the CreateNetworkInterface operation: The securityGroup ID 'sg-gone' does not exist",
    );
  });

  it.each([[[]], [['sg-here']], [['sg-here', 'sg-here-too']]])('is not among %j', (groups) => {
    expect(missingGroup(groups, exists)).toBeUndefined();
  });
});

const machine = (name: string, ...securityGroups: string[]): Dependents['machines'][number] => ({
  spec: { pod: { namespace: 'shop', name }, securityGroups },
});

const group = (
  name: string,
  ...peers: { group?: string; prefixList?: string }[]
): Dependents['groups'][number] => ({ metadata: { name }, spec: { ingress: [{ peers }] } });

const all: Dependents = {
  machines: [machine('web', 'sg-web'), machine('db', 'sg-db', 'sg-web'), machine('plain')],
  groups: [
    group('sg-web', { group: 'sg-web' }),
    group('sg-db', { group: 'sg-web' }, { prefixList: 'office' }),
    { metadata: { name: 'sg-out' }, spec: { egress: [{ peers: [{ prefixList: 'office' }] }] } },
  ],
  clusterGroup: 'sg-cluster',
};

describe('what uses', () => {
  it.each([
    ['sg-web', ['security group sg-db', 'pod shop/web', 'pod shop/db']],
    ['sg-db', ['pod shop/db']],
    ['sg-cluster', ['the network', 'pod shop/plain']],
    ['sg-out', []],
  ])('security group %s', (name, expected) => {
    expect(dependentsOfGroup(name, all)).toEqual(expected);
  });

  it.each([
    ['office', ['security group sg-db', 'security group sg-out']],
    ['other', []],
  ])('prefix list %s', (name, expected) => {
    expect(dependentsOfList(name, all)).toEqual(expected);
  });
});

describe('a refusal to delete', () => {
  it('is in the words of EC2, and names who uses it', () => {
    expect(dependencyViolation('DeleteSecurityGroup', 'sg-web', ['pod a/b'])).toBe(
      'An error occurred (DependencyViolation) when calling the DeleteSecurityGroup operation: resource sg-web has a dependent object: pod a/b',
    );
    expect(dependencyViolation('DeleteSecurityGroup', 'sg', ['a', 'b', 'c', 'd', 'e'])).toMatch(
      /: a, b, c and 2 more$/,
    );
    expect(dependencyViolation('DeleteSecurityGroup', 'sg', [])).toBeUndefined();
  });
});
