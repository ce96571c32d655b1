import { expect, it } from 'vitest';
import { NODE_MAPPING } from '../roles/mapping.ts';
import { accessEntries } from './entries.ts';

const ACCOUNT = { partition: 'aws', region: 'local-1', account: '111122223333' };
const arn = (name: string) => `arn:aws:iam::111122223333:role/${name}`;
const profile = (creationTimestamp: string, role?: string) => ({
  metadata: { creationTimestamp },
  spec: role === undefined ? {} : { podExecutionRoleArn: arn(role) },
});
const mapped = (...names: readonly string[]) =>
  names.map((name) => ({ rolearn: arn(name), ...NODE_MAPPING }));

it('has one entry for each role of profiles that nodes may be launched with', () => {
  const profiles = [
    profile('2026-01-02T00:00:00Z', 'pods'),
    profile('2026-01-01T00:00:00Z', 'pods'),
    profile('2026-01-01T00:00:00Z', 'taken-away'),
    profile('2026-01-01T00:00:00Z'),
  ];
  const entries = accessEntries(profiles, mapped('pods', 'of-no-profile'), 'c', ACCOUNT);
  expect(entries).toEqual([
    {
      principalArn: arn('pods'),
      accessEntryArn: expect.stringMatching(
        /^arn:aws:eks:local-1:111122223333:access-entry\/c\/role\/111122223333\/pods\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      ),
      kubernetesGroups: ['system:bootstrappers', 'system:nodes', 'system:node-proxier'],
      username: 'system:node:{{SessionName}}',
      since: '2026-01-01T00:00:00Z',
    },
  ]);
  expect(accessEntries([...profiles].reverse(), mapped('pods'), 'c', ACCOUNT)).toEqual(entries);
});

it('gives entries names of their own, which last', () => {
  const profiles = ['a', 'b'].map((name) => profile('2026-01-01T00:00:00Z', name));
  const names = (cluster: string) =>
    accessEntries(profiles, mapped('a', 'b'), cluster, ACCOUNT).map(({ accessEntryArn }) => accessEntryArn);
  expect(new Set([...names('c'), ...names('d')].map((name) => name.split('/').at(-1))).size).toBe(4);
  expect(names('c')).toEqual(names('c'));
});
