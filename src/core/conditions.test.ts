import { expect, it } from 'vitest';
import { type Verdict, withCondition } from './conditions.ts';

const bad: Verdict = { type: 'Ready', status: 'False', reason: 'Off', message: 'it is off' };
const other = { ...bad, type: 'Other', lastTransitionTime: '2026-01-01T00:00:00Z' };

it('keeps other conditions, and the time for as long as the status stays', () => {
  const first = withCondition([other], bad, '2026-01-01T00:00:01Z');
  expect(first).toEqual([other, { ...bad, lastTransitionTime: '2026-01-01T00:00:01Z' }]);
  expect(withCondition(first, bad, '2026-01-01T00:00:02Z')).toBe(first);
  const reworded = withCondition(first, { ...bad, message: 'off' }, '2026-01-01T00:00:03Z');
  expect(reworded[1]).toMatchObject({ message: 'off', lastTransitionTime: '2026-01-01T00:00:01Z' });
  const good = withCondition(reworded, { ...bad, status: 'True' }, '2026-01-01T00:00:04Z');
  expect(good[1]).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T00:00:04Z' });
});
