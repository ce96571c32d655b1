import { setImmediate as nextTurn } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { until } from '../host/wait.ts';
import { type Controller, done, type Outcome, runController } from './controller.ts';
import { ApiError } from './errors.ts';

const log = pino({ enabled: false });

/** Runs a controller for the length of a test. */
const withController = async (
  reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>,
  test: (controller: Controller) => Promise<void>,
  options: { workers?: number; limitMs?: number } = {},
): Promise<void> => {
  const controller = runController({ name: 'test', workers: 2, reconcile, log, ...options });
  try {
    await test(controller);
  } finally {
    await controller.stop();
  }
};

describe('runController', () => {
  it('works on as many keys at once as it has workers, and never twice on the same', async () => {
    const running: string[] = [];
    let most = 0;
    let calls = 0;
    const reconcile = async (key: string): Promise<Outcome> => {
      expect(running).not.toContain(key);
      running.push(key);
      most = Math.max(most, running.length);
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      running.splice(running.indexOf(key), 1);
      calls++;
      return done;
    };
    await withController(
      reconcile,
      async (controller) => {
        for (let round = 0; round < 5; round++) {
          for (const key of ['a', 'b', 'c', 'd', 'e']) controller.enqueue(key);
          await nextTurn();
        }
        await until(() => running.length === 0 && calls >= 10, { limitMs: 5_000, what: 'all keys' });
      },
      { workers: 3 },
    );
    expect(most).toBe(3);
  });

  it('looks again when the reconciler says so', async () => {
    let calls = 0;
    await withController(
      async () => (++calls < 3 ? { again: 5 } : done),
      async (controller) => {
        controller.enqueue('a');
        await until(() => calls === 3, { limitMs: 5_000, what: 'three calls' });
      },
    );
    expect(calls).toBe(3);
  });

  it('tries again after errors, later each time', async () => {
    const times: number[] = [];
    await withController(
      async () => {
        times.push(performance.now());
        if (times.length < 3) throw new Error('not yet');
        return done;
      },
      async (controller) => {
        controller.enqueue('a');
        await until(() => times.length === 3, { limitMs: 5_000, what: 'three calls' });
      },
    );
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(124); // half of 250 ms, the rest is jitter
    expect(third - second).toBeGreaterThanOrEqual(249);
  });

  it('waits as long as the API server asks', async () => {
    const times: number[] = [];
    await withController(
      async () => {
        times.push(performance.now());
        if (times.length === 1)
          throw new ApiError('slow down', { status: 429, reason: 'TooManyRequests', retryAfterMs: 600 });
        return done;
      },
      async (controller) => {
        controller.enqueue('a');
        await until(() => times.length === 2, { limitMs: 5_000, what: 'two calls' });
      },
    );
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(599);
  });

  it('aborts work at its time limit and when it stops', async () => {
    const reasons: string[] = [];
    const untilAborted = (_: string, signal: AbortSignal): Promise<Outcome> =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as Error).message);
          reject(signal.reason);
        }),
      );
    await withController(
      untilAborted,
      async (controller) => {
        controller.enqueue('a');
        await until(() => reasons.length === 1, { limitMs: 5_000, what: 'the time limit' });
        controller.enqueue('b');
      },
      { limitMs: 20 },
    );
    expect(reasons).toEqual(['test a: not finished after 0.02 s', 'test b: the controller is stopping']);
  });
});
