import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { formatAddress } from './ipv4.ts';
import {
  contains,
  EVERYWHERE,
  isEverywhere,
  type Range,
  rangesOf,
  single,
  union,
  without,
} from './ranges.ts';

/** Ranges within a small world, so that they meet often. */
const small = fc
  .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 63 }))
  .map(([a, b]): Range => ({ first: Math.min(a, b), last: Math.max(a, b) }));
const some = fc.array(small, { maxLength: 8 });
const world = Array.from({ length: 64 }, (_, i) => i);
const inAny = (ranges: readonly Range[], a: number): boolean =>
  ranges.some((r) => r.first <= a && a <= r.last);

describe('a set of addresses', () => {
  it('has what any of its parts has, in order and apart', () => {
    fc.assert(
      fc.property(some, (parts) => {
        const set = union(parts);
        for (const a of world) expect(contains(set, a)).toBe(inAny(parts, a));
        for (const [i, range] of set.slice(1).entries()) {
          expect(range.first).toBeGreaterThan((set[i]?.last ?? 0) + 1);
        }
      }),
    );
  });

  it('loses exactly its holes', () => {
    fc.assert(
      fc.property(some, some, (parts, holes) => {
        const rest = without(union(parts), union(holes));
        for (const a of world) expect(contains(rest, a)).toBe(inAny(parts, a) && !inAny(holes, a));
      }),
    );
  });
});

test.each([
  [['10.0.0.0/30'], ['10.0.0.0-10.0.0.3']],
  [['10.0.1.0/24', '10.0.0.0/24'], ['10.0.0.0-10.0.1.255']],
  [['10.0.0.0/8', '10.1.0.0/16'], ['10.0.0.0-10.255.255.255']],
  [['0.0.0.0/0'], ['0.0.0.0-255.255.255.255']],
  [['255.255.255.255/32'], ['255.255.255.255-255.255.255.255']],
  [
    ['10.9.9.9/8', '192.0.2.1/30'],
    ['10.0.0.0-10.255.255.255', '192.0.2.0-192.0.2.3'],
  ],
  [['010.0.00.0/08'], ['10.0.0.0-10.255.255.255']],
  [['fd00::/8', '::ffff:10.0.0.0/104', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/', ''], []],
])('%j is %j', (cidrs, ranges) => {
  const words = rangesOf(cidrs).map(({ first, last }) => `${formatAddress(first)}-${formatAddress(last)}`);
  expect(words).toEqual(ranges);
});

test('everywhere is told from nearly everywhere', () => {
  expect(isEverywhere(rangesOf(['0.0.0.0/1', '128.0.0.0/1']))).toBe(true);
  expect(isEverywhere(without(EVERYWHERE, [single(7)]))).toBe(false);
  expect(isEverywhere([])).toBe(false);
});
