/** `cloister profile`: the same engine for people without AWS tools. */
import { load } from 'js-yaml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fargateProfiles } from '../../src/api/resources.ts';
import { exec } from '../../src/host/exec.ts';
import { ROOT } from '../../src/host/script.ts';
import { ACCOUNT, CLUSTER, startEks, type TestEks } from './support.ts';

let test: TestEks;

beforeAll(async () => {
  test = await startEks();
}, 120_000);

afterAll(() => test?.stop(), 60_000);

const profile = (...args: readonly string[]) =>
  exec(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'profile', ...args], {
    cwd: ROOT,
    env: { KUBECONFIG: test.product.kubeconfig },
  });

it('creates, lists, describes, updates and deletes', async () => {
  expect(await profile('list')).toBe('there are no profiles\n');
  const created = await profile(
    ...[
      'create',
      'web',
      '-s',
      'web:app=a*,tier=front',
      '-s',
      'web2',
      '--subnet',
      'private-a',
      '--tag',
      'k=v',
    ],
  );
  expect(created).toMatch(
    /^web: ACTIVE\n {2}selectors +web:app=a\*,tier=front\n +web2\n {2}subnets +private-a\n/,
  );
  expect(created).toContain(`arn:aws:eks:local-1:${ACCOUNT}:fargateprofile/${CLUSTER}/web/`);
  expect(await profile('list')).toBe(
    'NAME   STATUS   SELECTORS                    SUBNETS\nweb    ACTIVE   web:app=a*,tier=front web2   private-a\n',
  );
  const updated = JSON.parse(await profile('update', 'web', '-s', 'other', '-o', 'json'));
  expect(updated.fargateProfile.selectors).toEqual([{ namespace: 'other' }]);
  expect((await test.product.client.get(fargateProfiles, { name: 'web' })).spec.subnets).toEqual([
    'private-a',
  ]);
  const described = load(await profile('describe', 'web', '-o', 'yaml')) as { fargateProfile: object };
  expect(described.fargateProfile).toMatchObject({ fargateProfileName: 'web', tags: { k: 'v' } });
  expect(await profile('delete', 'web')).toBe('profile web is gone\n');
}, 60_000);

it.each<[readonly string[], string]>([
  [['describe', 'none'], 'No Fargate Profile found with name: none.'],
  [['delete', 'none'], 'No Fargate Profile found with name: none.'],
  [['create', 'x'], 'Fargate Profile requires at least one selector.'],
  [
    ['create', 'x', '-s', 'n', '--subnet', 'public-a'],
    'Subnet public-a provided in Fargate Profile is not a private subnet',
  ],
  [['create', 'eks-x', '-s', 'n'], 'names that start with eks- are reserved'],
  [['update', 'x'], 'nothing to change: give --selector, --subnet or --role'],
  [['list', '-o', 'xml'], 'no output format xml: write table, json, yaml'],
])(
  '%j says what is wrong',
  async (args, message) => {
    await expect(profile(...args)).rejects.toThrow(message);
  },
  30_000,
);
