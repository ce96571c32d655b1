/** Paired samples: what was measured in turns on a noisy host is compared turn by turn. */
import { median } from '../../src/core/statistics.ts';

/** A median, and the interval in which it lies with 95 %. */
export interface Interval {
  readonly median: number;
  readonly from: number;
  readonly to: number;
}

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);

/** The interval is that of order statistics: binomial, by its normal approximation. */
export const middleOf = (values: readonly number[]): Interval => {
  const inOrder = sorted(values);
  const n = inOrder.length;
  const reach = 0.98 * Math.sqrt(n);
  const at = (index: number): number => inOrder[Math.min(n - 1, Math.max(0, index))] ?? Number.NaN;
  return { median: median(values), from: at(Math.floor(n / 2 - reach)), to: at(Math.ceil(n / 2 + reach)) };
};

/** The ratio of pairs, `ours` to `theirs` of the same place. */
export const ratioOf = (ours: readonly number[], theirs: readonly number[]): Interval =>
  middleOf(ours.map((value, i) => value / (theirs[i] ?? Number.NaN)));
