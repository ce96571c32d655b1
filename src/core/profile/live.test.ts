import { expect, it } from 'vitest';
import { lagOf, sameSelectors } from './live.ts';

it('is live when every replica of admission follows', () => {
  expect(lagOf([{ name: 'a', follows: true }])).toBeUndefined();
  expect(lagOf([])).toBe('no replica of admission is running');
  expect(
    lagOf([
      { name: 'c', follows: false },
      { name: 'a', follows: true },
      { name: 'b', follows: false },
    ]),
  ).toBe('2 of 3 replicas of admission do not have the profile yet: b, c');
});

it.each<[string, Parameters<typeof sameSelectors>[0], Parameters<typeof sameSelectors>[1], boolean]>([
  [
    'labels in another order',
    [{ namespace: 'a', labels: { x: '1', y: '2' } }],
    [{ namespace: 'a', labels: { y: '2', x: '1' } }],
    true,
  ],
  ['no labels and none', [{ namespace: 'a', labels: {} }], [{ namespace: 'a' }], true],
  [
    'another value',
    [{ namespace: 'a', labels: { x: '1' } }],
    [{ namespace: 'a', labels: { x: '2' } }],
    false,
  ],
  ['one more', [{ namespace: 'a' }], [{ namespace: 'a' }, { namespace: 'b' }], false],
])('compares selectors: %s', (_, a, b, same) => {
  expect(sameSelectors(a, b)).toBe(same);
});
