import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { withRole } from './aws-auth.ts';

const ROLE = 'arn:aws:iam::111122223333:role/pods';
const ADDED = {
  rolearn: ROLE,
  username: 'system:node:{{SessionName}}',
  groups: ['system:bootstrappers', 'system:nodes', 'system:node-proxier'],
};

describe('withRole', () => {
  it('adds the role to what is there', () => {
    expect(load(withRole(undefined, ROLE) ?? '')).toEqual([ADDED]);
    expect(load(withRole('', ROLE) ?? '')).toEqual([ADDED]);
    const other = '- rolearn: arn:aws:iam::111122223333:role/other\n  groups: [a]\n';
    expect(load(withRole(other, ROLE) ?? '')).toEqual([...(load(other) as object[]), ADDED]);
  });

  it('leaves a role alone that is there, whatever it is mapped to', () => {
    expect(withRole(`- rolearn: ${ROLE}\n  groups: [mine]\n`, ROLE)).toBeUndefined();
  });

  it('does not overwrite what it cannot read', () => {
    expect(() => withRole('{a: b}', ROLE)).toThrow(/mapRoles of ConfigMap kube-system\/aws-auth is no list/);
  });
});
