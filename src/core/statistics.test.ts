import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile } from './statistics.ts';

const samples = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 50 });

describe('the median', () => {
  it.each([
    [[7], 7],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[5, 5, 1, 9], 5],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('a quantile', () => {
  it.each([
    [0, 10],
    [0.1, 10],
    [0.25, 30],
    [0.5, 50],
    [0.9, 90],
    [0.99, 100],
    [1, 100],
  ])('%d of ten samples is the nearest rank: %d', (q, expected) => {
    expect(quantile([100, 20, 90, 30, 80, 40, 70, 50, 60, 10], q)).toBe(expected);
  });

  it('has its share of the samples at or below it, and less below', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.001, max: 1, noNaN: true }), (values, q) => {
        const found = quantile(values, q);
        const share = (of: (value: number) => boolean): number => values.filter(of).length;
        expect(share((value) => value <= found)).toBeGreaterThanOrEqual(q * values.length);
        expect(share((value) => value < found)).toBeLessThan(q * values.length);
      }),
    );
  });

  it('of no samples is refused', () => {
    expect(() => quantile([], 0.5)).toThrow(new RangeError('no 0.5 quantile of 0 samples'));
    expect(() => median([])).toThrow(RangeError);
  });
});
