import { expect, it } from 'vitest';
import type { Seed } from '../compute/provider.ts';
import type { Context, View } from './context.ts';
import { LIFETIME_S } from './credentials.ts';
import { deliveries } from './deliveries.ts';
import { renewals } from './renew.ts';

const pair = { certificate: 'CERTIFICATE', key: 'KEY' };
const issued = { client: pair, serving: pair, proxyToken: 'TOKEN', images: [] };
const view = { machine: { name: 'vm-00000000-0000-4000-8000-0000000000ff' } } as View;

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A context whose clock stands where `at` says, and the seeds that were fed. */
const bench = () => {
  const fed: Seed[] = [];
  const clock = { at: 0 };
  const context = {
    now: () => new Date(clock.at),
    provider: { feed: async (_machine: unknown, seed: Seed) => void fed.push(seed) },
  } as unknown as Context;
  return { fed, clock, context };
};

it('renews at two thirds of the life of what was issued, well before it ends', async () => {
  const { fed, clock, context } = bench();
  const kept = renewals(
    deliveries(() => {}),
    async () => issued,
    () => 0,
  );
  kept.issued(view.machine.name, new Date(0));
  const wait = kept.renew(view, context);
  expect(wait).toBe((LIFETIME_S * 1000 * 2) / 3);
  expect(fed).toEqual([]);

  clock.at = wait;
  kept.renew(view, context);
  await settle();
  expect(fed).toHaveLength(1);
  expect(Object.keys(fed[0]?.files ?? {})).toHaveLength(3);
  expect(kept.renew(view, context)).toBe((LIFETIME_S * 1000 * 2) / 3);

  clock.at += wait;
  kept.renew(view, context);
  await settle();
  expect(fed).toHaveLength(2);
});

it('renews a machine that it found at start within minutes, since nobody knows how old its credentials are', async () => {
  const { fed, clock, context } = bench();
  const kept = renewals(
    deliveries(() => {}),
    async () => issued,
    () => 0,
  );
  const wait = kept.renew(view, context);
  expect(wait).toBeLessThanOrEqual(300_000);
  clock.at = wait;
  kept.renew(view, context);
  await settle();
  expect(fed).toHaveLength(1);
});

it('renews in time although the clock was set back', async () => {
  const { fed, clock, context } = bench();
  let steady = 0;
  const kept = renewals(
    deliveries(() => {}),
    async () => issued,
    () => steady,
  );
  clock.at = 5 * LIFETIME_S * 1000;
  kept.issued(view.machine.name, context.now());
  clock.at = 0;
  steady = (LIFETIME_S * 1000 * 2) / 3;
  kept.renew(view, context);
  await settle();
  expect(fed).toHaveLength(1);
});

it('tries again when a renewal fails', async () => {
  const { fed, clock, context } = bench();
  let broken = true;
  const kept = renewals(
    deliveries(() => {}),
    async () => {
      if (broken) throw new Error('the signer is away');
      return issued;
    },
  );
  kept.issued(view.machine.name, new Date(0));
  clock.at = LIFETIME_S * 1000;
  kept.renew(view, context);
  await settle();
  expect(() => kept.renew(view, context)).toThrow('the signer is away');
  broken = false;
  kept.renew(view, context);
  await settle();
  expect(fed).toHaveLength(1);
});
