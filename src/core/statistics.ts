/** Figures that sum up samples. */

/**
 * @param q 0 to 1
 * @returns the smallest sample that at least this share of the samples does not exceed (nearest rank), the least for 0
 * @throws RangeError of no samples
 */
export const quantile = (samples: readonly number[], q: number): number => {
  const sample = samples.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * samples.length) - 1)];
  if (sample === undefined) throw new RangeError(`no ${q} quantile of ${samples.length} samples`);
  return sample;
};

/**
 * @returns the middle sample; of an even number, the mean of the two in the middle
 * @throws RangeError of no samples
 */
export const median = (samples: readonly number[]): number => {
  const mirrored = samples.map((sample) => -sample);
  return (quantile(samples, 0.5) - quantile(mirrored, 0.5)) / 2;
};
