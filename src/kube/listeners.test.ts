import { describe, expect, it } from 'vitest';
import type { Difference } from './cache.ts';
import { Listeners } from './listeners.ts';

const differences = (count: number): Difference<number>[] =>
  Array.from({ length: count }, (_, n) => ({ key: `k${n}`, now: n, before: undefined }));
const fail = (error: unknown): never => {
  throw error;
};

describe('Listeners', () => {
  it('lets other work have turns, and tells what comes up meanwhile afterwards', async () => {
    const listeners = new Listeners<number>(fail);
    const heard: string[] = [];
    listeners.add((key) => heard.push(key));
    const telling = listeners.tellInTurns(differences(2_000));
    expect(heard).toHaveLength(500);
    listeners.tell([{ key: 'k1999', now: 0, before: 1_999 }]);
    expect(heard).toHaveLength(500);
    await telling;
    expect(heard).toHaveLength(2_001);
    expect(heard.slice(-2)).toEqual(['k1999', 'k1999']);
    listeners.tell(differences(1));
    expect(heard.at(-1)).toBe('k0');
  });

  it('tells the others when one throws, and nobody who was taken off', () => {
    const errors: unknown[] = [];
    const listeners = new Listeners<number>((error, key) => errors.push([key, error]));
    const heard: string[] = [];
    const bug = new Error('a bug');
    const off = listeners.add(() => fail(bug));
    listeners.add((key) => heard.push(key));
    listeners.tell(differences(1));
    expect([heard, errors]).toEqual([['k0'], [['k0', bug]]]);
    off();
    listeners.tell(differences(1));
    expect(errors).toHaveLength(1);
    listeners.clear();
    listeners.tell(differences(1));
    expect(heard).toHaveLength(2);
  });
});
