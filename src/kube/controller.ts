/**
 * Runs a reconciler over keys. It is level-based: a key says *that* something changed, never what; the
 * reconciler looks at how things are now, does what is missing, and says whether to look again.
 */

import { until } from '../host/wait.ts';
import { type Backoff, delay } from './backoff.ts';
import { ApiError, isConflict } from './errors.ts';
import type { Log } from './log.ts';
import { Queue } from './queue.ts';

/** What a reconciler says about its key: nothing left to do, or look again after so many milliseconds. */
export type Outcome = { readonly done: true } | { readonly again: number };

/** Nothing is left to do until something changes. */
export const done: Outcome = { done: true };

export interface ControllerOptions {
  /** Names the controller in logs. */
  readonly name: string;
  /** Keys that are worked on at the same time. The same key never is. */
  readonly workers: number;
  /**
   * Called with one key at a time. What it throws is logged once and tried again later, with growing delays or
   * as the API server asks. `signal` is aborted at the time limit and when the controller stops.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>;
  readonly log: Log;
  /** Time limit of one call, in milliseconds. Default five minutes. */
  readonly limitMs?: number;
}

export interface Controller {
  /** Has the key reconciled, at the latest after `afterMs` milliseconds; at once by default. */
  enqueue(key: string, afterMs?: number): void;
  /**
   * Takes no more keys, aborts the work under way, and resolves when it has ended.
   * @throws TimeoutError naming the keys whose work does not end within 30 s
   */
  stop(): Promise<void>;
}

const BACKOFF: Backoff = { firstMs: 250, longestMs: 60_000 };

const STOP_LIMIT_MS = 30_000;

export const runController = (options: ControllerOptions): Controller => {
  const { name, workers, reconcile, log, limitMs = 300_000 } = options;
  const queue = new Queue(() => startWork());
  /** The keys that are worked on, each with the way to abort the work. */
  const running = new Map<string, AbortController>();
  /** How often a key has failed in a row. */
  const failures = new Map<string, number>();
  let stopping = false;

  const startWork = (): void => {
    while (running.size < workers) {
      const key = queue.take();
      if (key === undefined) return;
      running.set(key, new AbortController());
      void workOn(key).finally(() => {
        running.delete(key);
        queue.release(key);
        startWork();
      });
    }
  };

  const workOn = async (key: string): Promise<void> => {
    const began = performance.now();
    const limit = setTimeout(() => abort(key, `not finished after ${limitMs / 1000} s`), limitMs);
    try {
      const outcome = await reconcile(key, (running.get(key) as AbortController).signal);
      failures.delete(key);
      if ('again' in outcome) queue.add(key, outcome.again);
      log.debug(
        { controller: name, key, ...outcome, ms: Math.round(performance.now() - began) },
        'reconciled',
      );
    } catch (error) {
      if (!stopping) retryLater(key, error); // aborted work fails, as it should
    } finally {
      clearTimeout(limit);
    }
  };

  const abort = (key: string, why: string): void => {
    running.get(key)?.abort(new Error(`${name} ${key}: ${why}`));
  };

  const retryLater = (key: string, error: unknown): void => {
    const failed = failures.get(key) ?? 0;
    failures.set(key, failed + 1);
    const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const againMs = Math.round(Math.max(asked, delay(BACKOFF, failed, Math.random())));
    const fields = { controller: name, key, err: error, failed: failed + 1, againMs };
    // Another writer was faster: the ordinary price of optimistic locking.
    if (isConflict(error)) log.debug(fields, 'conflict; reconciling again');
    else log.warn(fields, 'reconciling failed; trying again');
    queue.add(key, againMs);
  };

  return {
    enqueue: (key, afterMs) => queue.add(key, afterMs),
    stop: async () => {
      stopping = true;
      queue.close();
      for (const key of running.keys()) abort(key, 'the controller is stopping');
      await until(() => running.size === 0, {
        limitMs: STOP_LIMIT_MS,
        what: `${name} to end its work on ${[...running.keys()].join(', ')}`,
        everyMs: 5,
      });
    },
  };
};
