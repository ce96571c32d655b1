/** Fifty clients at the same twenty names: what is left is what one client could have left. */

import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fargateProfiles, pods } from '../../src/api/resources.ts';
import { profileStatus } from '../../src/core/eks/create.ts';
import { until } from '../../src/host/wait.ts';
import { watchStore } from '../../src/kube/store.ts';
import { numbers } from '../support/numbers.ts';
import { call } from './raw.ts';
import { CLUSTER, ROLE, startEks, type TestEks } from './support.ts';

const CLIENTS = 50;
const NAMES = Array.from({ length: 20 }, (_, i) => `name-${String(i).padStart(2, '0')}`);
const DURATION_MS = 60_000;
const MOST = 10;

let test: TestEks;

beforeAll(async () => {
  test = await startEks({ rate: { perSecond: 1e6, burst: 1_000_000 } });
}, 120_000);

afterAll(() => test?.stop(), 60_000);

/** A change that was answered with 200. */
interface Change {
  readonly kind: 'create' | 'delete';
  readonly name: string;
  /** Unlike for each life of a profile. */
  readonly arn: string;
  readonly from: number;
  readonly to: number;
}

/** Answers that a client may get while others are at it. */
const EXPECTED = new Set([
  'ResourceInUseException',
  'ResourceNotFoundException',
  'ResourceLimitExceededException',
]);

const change = async (kind: Change['kind'], name: string): Promise<Change | string> => {
  const base = `/clusters/${CLUSTER}/fargate-profiles`;
  const body = { fargateProfileName: name, podExecutionRoleArn: ROLE, selectors: [{ namespace: name }] };
  const from = performance.now();
  const answer = await call(
    test.product.eks.http,
    kind === 'create'
      ? { method: 'POST', path: base, body: JSON.stringify(body) }
      : { method: 'DELETE', path: `${base}/${name}` },
    test.keys,
  );
  if (answer.status !== 200) {
    const type = String(answer.headers['x-amzn-errortype']);
    return EXPECTED.has(type) ? type : `unexpected: ${answer.status} ${type} ${answer.text}`;
  }
  const { fargateProfileArn: arn } = answer.json['fargateProfile'] as { fargateProfileArn: string };
  return { kind, name, arn, from, to: performance.now() };
};

it('leaves a state that a single client could have produced', async () => {
  const { client } = test.product;
  // Seen from outside, at every change: never two in the making or unmaking, never more than the quota.
  const seen = watchStore(client, fargateProfiles, { log: pino({ level: 'silent' }) });
  const breaches: string[] = [];
  seen.onChange(() => {
    const all = seen.list();
    const busy = all.filter((one) => ['CREATING', 'DELETING'].includes(profileStatus(one)));
    if (busy.length > 1)
      breaches.push(busy.map((one) => `${one.metadata.name} ${profileStatus(one)}`).join());
    if (all.length > MOST) breaches.push(`${all.length} profiles`);
  });
  await seen.synced;

  const changes: Change[] = [];
  const refusals = new Map<string, number>();
  const end = performance.now() + DURATION_MS;
  const work = async (client: number): Promise<void> => {
    const random = numbers(client);
    while (performance.now() < end) {
      const name = NAMES[Math.floor(random() * NAMES.length)] as string;
      const outcome = await change(random() < 0.5 ? 'create' : 'delete', name);
      if (typeof outcome === 'string') refusals.set(outcome, (refusals.get(outcome) ?? 0) + 1);
      else changes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => work(index)));

  expect([...refusals.keys()].filter((type) => !EXPECTED.has(type))).toEqual([]);
  expect(breaches).toEqual([]);
  // As the API server has them: a deletion that was just answered may not be seen yet.
  const rest = await until(
    async () => {
      const all = await client.list(fargateProfiles);
      return all.every((one) => profileStatus(one) === 'ACTIVE') ? all : undefined;
    },
    { limitMs: 30_000, what: 'all profiles to come to rest' },
  );

  const created = changes.filter(({ kind }) => kind === 'create');
  const deleted = changes.filter(({ kind }) => kind === 'delete');
  const lives = new Map(created.map((one) => [one.arn, one]));
  expect(lives.size).toBe(created.length); // no life was given twice
  expect(deleted.filter(({ arn }) => !lives.has(arn))).toEqual([]);
  const ended = new Set(deleted.map(({ arn }) => arn));
  const left = rest.map(({ metadata }) => metadata.uid ?? '').toSorted();
  const expected = [...lives.keys()]
    .filter((arn) => !ended.has(arn))
    .map((arn) => arn.split('/').at(-1) ?? '');
  expect(left).toEqual(expected.toSorted());
  for (const name of NAMES) {
    const own = created.filter((one) => one.name === name).toSorted((a, b) => a.to - b.to);
    for (const [index, life] of own.entries()) {
      const next = own[index + 1];
      if (next === undefined) continue;
      // The next life of a name begins after the deletion of the one before was asked for.
      const asked = Math.min(...deleted.filter(({ arn }) => arn === life.arn).map(({ from }) => from));
      expect(asked, `${name}: two lives at once`).toBeLessThan(next.to);
    }
  }
  expect(created.length).toBeGreaterThan(20);
  expect(await client.list(pods)).toEqual([]);
  seen.stop();
}, 180_000);
