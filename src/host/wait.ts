/** Waiting for conditions, always under a limit, always saying for what. */
import { setTimeout as sleep } from 'node:timers/promises';

/** How long to wait, for what, and how often to look. */
export interface WaitOptions {
  readonly limitMs: number;
  /** Completes the sentence "waited 30 s for …". */
  readonly what: string;
  /** Milliseconds between looks. Default 50. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

/** A condition that did not come true in time. */
export class TimeoutError extends Error {
  constructor(options: WaitOptions, cause?: unknown) {
    const last = cause instanceof Error ? ` (last: ${cause.message})` : '';
    super(`waited ${options.limitMs / 1000} s for ${options.what}${last}`, { cause });
    this.name = 'TimeoutError';
  }
}

/**
 * Looks again and again until `condition` gives something true, and gives that. A condition that throws
 * counts as not yet true; the last error is the cause of the time-out.
 * @throws TimeoutError
 */
export const until = async <T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | undefined | null>> => {
  const deadline = performance.now() + options.limitMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | undefined | null>;
    } catch (cause) {
      last = cause;
    }
    if (performance.now() >= deadline) throw new TimeoutError(options, last);
    await sleep(options.everyMs ?? 50);
  }
};
