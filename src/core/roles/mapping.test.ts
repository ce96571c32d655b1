import { expect, it } from 'vitest';
import { mayLaunch, NODE_MAPPING } from './mapping.ts';

const ROLE = 'arn:aws:iam::111122223333:role/pods';

it.each<[string, readonly unknown[], boolean]>([
  ['as it is written', [{ rolearn: ROLE, ...NODE_MAPPING }], true],
  [
    'beside others, and to more groups',
    ['x', null, { rolearn: ROLE, ...NODE_MAPPING, groups: [...NODE_MAPPING.groups, 'more'] }],
    true,
  ],
  ['not at all', [], false],
  ['for another role', [{ rolearn: `${ROLE}-2`, ...NODE_MAPPING }], false],
  [
    'to another name',
    [{ rolearn: ROLE, ...NODE_MAPPING, username: 'system:node:{{EC2PrivateDNSName}}' }],
    false,
  ],
  ['to too few groups', [{ rolearn: ROLE, ...NODE_MAPPING, groups: ['system:nodes'] }], false],
  ['to no groups', [{ rolearn: ROLE, username: NODE_MAPPING.username }], false],
])('a role that is mapped %s', (_, mapRoles, launches) => {
  expect(mayLaunch(mapRoles, ROLE)).toBe(launches);
});
