import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../net/ipv4.ts';
import { type ExistingMachine, Occupancy } from './occupancy.ts';

const machine = (subnet: string, address: string, dead = false): ExistingMachine => ({
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet, zone: 'z', region: 'r', address },
  dead,
});
const at = (address: string): number => parseAddress(address) ?? Number.NaN;

describe('what machines take', () => {
  it('is counted, and given back', () => {
    const occupancy = new Occupancy([
      ['one', machine('a', '10.0.0.4')],
      ['two', machine('a', '10.0.0.5')],
      ['three', machine('b', '10.1.0.4')],
    ]);
    expect(occupancy.used).toEqual({ memoryMiB: 1536, milliCpu: 750 });
    expect([occupancy.inUse('a'), occupancy.inUse('b'), occupancy.inUse('c')]).toEqual([2, 1, 0]);
    occupancy.set('one', undefined);
    occupancy.set('one', undefined);
    expect(occupancy.used).toEqual({ memoryMiB: 1024, milliCpu: 500 });
    expect([occupancy.isTaken(at('10.0.0.4')), occupancy.isTaken(at('10.0.0.5'))]).toEqual([false, true]);
  });

  it('is the address alone when a machine is dead', () => {
    const occupancy = new Occupancy([['one', machine('a', '10.0.0.4')]]);
    occupancy.set('one', machine('a', '10.0.0.4', true));
    expect(occupancy.used).toEqual({ memoryMiB: 0, milliCpu: 0 });
    expect(occupancy.isTaken(at('10.0.0.4'))).toBe(true);
  });

  it('stays as it is when a copy goes on', () => {
    const occupancy = new Occupancy([['one', machine('a', '10.0.0.4')]]);
    occupancy.copy().set('two', machine('a', '10.0.0.5'));
    expect(occupancy.inUse('a')).toBe(1);
  });

  it('is what counting all over again gives, after any changes', () => {
    const machines = fc.option(
      fc
        .record({
          subnet: fc.constantFrom('a', 'b'),
          last: fc.integer({ min: 4, max: 9 }),
          dead: fc.boolean(),
        })
        .map(({ subnet, last, dead }) => machine(subnet, `10.0.0.${last}`, dead)),
      { nil: undefined },
    );
    const changes = fc.array(fc.tuple(fc.constantFrom('v', 'w', 'x', 'y'), machines), { maxLength: 30 });
    fc.assert(
      fc.property(changes, (list) => {
        const occupancy = new Occupancy();
        const slow = new Map<string, ExistingMachine>();
        for (const [name, now] of list) {
          occupancy.set(name, now);
          if (now === undefined) slow.delete(name);
          else slow.set(name, now);
        }
        const alive = [...slow.values()].filter(({ dead }) => !dead);
        expect(occupancy.used.milliCpu).toBe(alive.length * 250);
        for (const subnet of ['a', 'b'])
          expect(occupancy.inUse(subnet)).toBe(
            [...slow.values()].filter((m) => m.placement.subnet === subnet).length,
          );
        for (let last = 4; last <= 9; last += 1) {
          const taken = [...slow.values()].some((m) => m.placement.address === `10.0.0.${last}`);
          expect(occupancy.isTaken(at(`10.0.0.${last}`))).toBe(taken);
        }
      }),
    );
  });
});
