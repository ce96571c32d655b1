import { describe, expect, it } from 'vitest';
import { type Facts, factsData, parseFacts } from './facts.ts';

describe('facts', () => {
  it.each<[string, Facts]>([
    ['where pods may run anywhere', { region: 'r', capacity: { memoryMiB: 1, milliCpu: 2 }, places: {} }],
    [
      'where they may not',
      { region: 'r', capacity: { memoryMiB: 1, milliCpu: 2 }, places: { regions: ['r', 's'], zones: ['z'] } },
    ],
    [
      'with limits of the account',
      {
        region: 'r',
        capacity: { memoryMiB: 1, milliCpu: 2 },
        places: {},
        quotaMilliCpu: 6000,
        accountBlocked: true,
      },
    ],
  ])('go into a ConfigMap and back: %s', (_, facts) => {
    expect(parseFacts(factsData(facts))).toEqual(facts);
  });

  it.each([
    ['nothing', undefined],
    ['no region', { memoryMiB: '1', milliCpu: '1' }],
    ['no number', { region: 'r', memoryMiB: 'much', milliCpu: '1' }],
  ])('are unknown where there is %s', (_, data) => {
    expect(parseFacts(data)).toBeUndefined();
  });
});
