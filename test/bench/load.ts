/** A load that keeps its rate whatever the answers take: each time is counted from when the call was due. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Times in milliseconds. */
export interface Times {
  readonly calls: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** Calls `send` so often a second. @returns milliseconds, sorted @throws the first error of a call */
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
  return taken.toSorted((a, b) => a - b);
};

const at = (sorted: readonly number[], q: number): number =>
  Math.round((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 100) / 100;

/** @param sorted milliseconds */
export const timesOf = (sorted: readonly number[]): Times => ({
  calls: sorted.length,
  medianMs: at(sorted, 0.5),
  p99Ms: at(sorted, 0.99),
  longestMs: at(sorted, 1),
});
