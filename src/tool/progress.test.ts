import { expect, test } from 'vitest';
import { duration } from './progress.ts';

test.each([
  [0, '0.0 s'],
  [4_240, '4.2 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min 00 s'],
  [67_400, '1 min 07 s'],
  [3_600_000, '60 min 00 s'],
])('%d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
