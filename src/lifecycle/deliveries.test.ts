import { describe, expect, it } from 'vitest';
import { deliveries } from './deliveries.ts';

/** Deliveries that end when the test says so. */
const bench = () => {
  const told: string[] = [];
  const ends: { readonly resolve: () => void; readonly reject: (cause: Error) => void }[] = [];
  const kept = deliveries((name) => void told.push(name));
  const begin = (name: string): boolean =>
    kept.begin(name, () => new Promise((resolve, reject) => ends.push({ resolve, reject })));
  return { told, ends, begin, forget: kept.forget };
};

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the delivery of a seed', () => {
  it('begins once, and its end is told once', async () => {
    const { told, ends, begin } = bench();
    expect(begin('vm-1')).toBe(false);
    expect(begin('vm-1')).toBe(false);
    expect(ends).toHaveLength(1);
    expect(told).toEqual([]);
    ends[0]?.resolve();
    await settle();
    expect(told).toEqual(['vm-1']);
    expect(begin('vm-1')).toBe(true);
    expect(ends).toHaveLength(1);
    expect(begin('vm-1')).toBe(false);
    expect(ends).toHaveLength(2);
  });

  it('says once why it failed, and begins anew', async () => {
    const { told, ends, begin } = bench();
    begin('vm-1');
    ends[0]?.reject(new Error('the machine is dead'));
    await settle();
    expect(told).toEqual(['vm-1']);
    expect(() => begin('vm-1')).toThrow('the machine is dead');
    begin('vm-1');
    expect(ends).toHaveLength(2);
  });

  it('of a machine that is gone concerns nobody, and the next of its name begins its own', async () => {
    const { told, ends, begin, forget } = bench();
    begin('vm-1');
    forget('vm-1');
    begin('vm-1');
    ends[0]?.reject(new Error('the machine is gone'));
    await settle();
    expect(told).toEqual([]);
    begin('vm-1');
    expect(ends).toHaveLength(2);
    ends[1]?.resolve();
    await settle();
    expect(told).toEqual(['vm-1']);
  });
});
