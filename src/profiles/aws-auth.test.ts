import { describe, expect, it } from 'vitest';
import { AWS_AUTH, mapRolesOf, UnreadableMappingError } from '../api/aws-auth.ts';
import { withRole } from './aws-auth.ts';

const ROLE = 'arn:aws:iam::111122223333:role/pods';
const ADDED = {
  rolearn: ROLE,
  username: 'system:node:{{SessionName}}',
  groups: ['system:bootstrappers', 'system:nodes', 'system:node-proxier'],
};
const config = (mapRoles: string, more: Record<string, string> = {}) => ({
  metadata: { ...AWS_AUTH, resourceVersion: '7' },
  data: { mapRoles, ...more },
});

describe('withRole', () => {
  it('adds the role to what is there', () => {
    expect(mapRolesOf(withRole(undefined, ROLE))).toEqual([ADDED]);
    expect(mapRolesOf(withRole(config(''), ROLE))).toEqual([ADDED]);
    const other = { rolearn: 'arn:aws:iam::111122223333:role/other', groups: ['a'] };
    const added = withRole(config(JSON.stringify([other]), { mapUsers: 'x' }), ROLE);
    expect(mapRolesOf(added)).toEqual([other, ADDED]);
    expect(added).toMatchObject({ metadata: { resourceVersion: '7' }, data: { mapUsers: 'x' } });
  });

  it('leaves a role alone that is there, whatever it is mapped to', () => {
    expect(withRole(config(`- rolearn: ${ROLE}\n  groups: [mine]\n`), ROLE)).toBeUndefined();
  });

  it('does not overwrite what it cannot read', () => {
    expect(() => withRole(config('{a: b}'), ROLE)).toThrow(UnreadableMappingError);
  });
});
