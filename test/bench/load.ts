/** A load that keeps its rate whatever the answers take: each time is counted from when the call was due. */
import { setTimeout as sleep } from 'node:timers/promises';
import { median, quantile } from '../../src/core/statistics.ts';

/** Times in milliseconds. */
export interface Times {
  readonly calls: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** Calls `send` so often a second. @returns milliseconds @throws the first error of a call */
export const steadily = async (
  rate: number,
  seconds: number,
  send: (n: number) => Promise<unknown>,
): Promise<readonly number[]> => {
  const taken: number[] = [];
  const began = performance.now();
  const all: Promise<void>[] = [];
  for (let n = 0; n < rate * seconds; n += 1) {
    const due = began + (n * 1000) / rate;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    all.push(send(n).then(() => void taken.push(performance.now() - due)));
  }
  await Promise.all(all);
  return taken;
};

const hundredths = (milliseconds: number): number => Math.round(milliseconds * 100) / 100;

/** @param taken milliseconds */
export const timesOf = (taken: readonly number[]): Times => ({
  calls: taken.length,
  medianMs: hundredths(median(taken)),
  p99Ms: hundredths(quantile(taken, 0.99)),
  longestMs: hundredths(quantile(taken, 1)),
});
