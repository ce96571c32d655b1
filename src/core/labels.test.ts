import { describe, expect, it } from 'vitest';
import { type LabelSelector, selects } from './labels.ts';

const LABELS = { app: 'web', tier: 'front' };

const one = (key: string, operator: string, ...values: string[]): LabelSelector => ({
  matchExpressions: [{ key, operator, values }],
});

describe('a label selector', () => {
  it.each<[string, LabelSelector, boolean]>([
    ['an empty one selects everything', {}, true],
    ['all labels must match', { matchLabels: { app: 'web', tier: 'front' } }, true],
    ['one that differs is enough to fail', { matchLabels: { app: 'web', tier: 'back' } }, false],
    ['In, among the values', one('app', 'In', 'api', 'web'), true],
    ['In, without the label', one('zone', 'In', 'a'), false],
    ['NotIn, among the values', one('app', 'NotIn', 'web'), false],
    ['NotIn, without the label', one('zone', 'NotIn', 'a'), true],
    ['Exists', one('app', 'Exists'), true],
    ['Exists, without the label', one('zone', 'Exists'), false],
    ['DoesNotExist', one('zone', 'DoesNotExist'), true],
    ['DoesNotExist, with the label', one('app', 'DoesNotExist'), false],
    ['labels and expressions, both', { matchLabels: { app: 'web' }, ...one('tier', 'Exists') }, true],
    ['labels and expressions, one fails', { matchLabels: { app: 'api' }, ...one('tier', 'Exists') }, false],
    ['an unknown operator selects nothing', one('app', 'Gt', '1'), false],
    ['In without values selects nothing', one('app', 'In'), false],
    ['NotIn without values selects nothing', one('app', 'NotIn'), false],
    ['Exists with values selects nothing', one('app', 'Exists', 'web'), false],
  ])('%s', (_, selector, expected) => {
    expect(selects(selector, LABELS)).toBe(expected);
  });

  it('knows an object without labels, and keys that every object inherits', () => {
    expect(selects({})).toBe(true);
    expect(selects(one('constructor', 'Exists'))).toBe(false);
  });
});
