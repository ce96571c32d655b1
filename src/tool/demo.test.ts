import { expect, test } from 'vitest';
import { stageTimes } from './demo.ts';

test('each stage is told by what it took after the one before, from the creation on', () => {
  const stages = {
    Running: '2026-01-01T00:00:21.500Z',
    Placed: '2026-01-01T00:00:00.250Z',
    Booted: '2026-01-01T00:00:10.250Z',
  };
  expect(stageTimes('2026-01-01T00:00:00Z', stages)).toEqual([
    'Placed +0.3 s',
    'Booted +10.0 s',
    'Running +11.3 s',
  ]);
});

test('a stage that was reached in the second of the creation took no time, not less', () => {
  expect(stageTimes('2026-01-01T00:00:01Z', { Placed: '2026-01-01T00:00:00.900Z' })).toEqual([
    'Placed +0.0 s',
  ]);
});
