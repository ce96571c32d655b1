import { describe, expect, it } from 'vitest';
import { STEPS } from '../sizing/size.ts';
import { hardwareMemoryMiB, NODE_MEMORY_MIB } from './machine.ts';

const size = (memoryMiB: number) => ({ milliCpu: 250, memoryMiB, storageGiB: 20 });

describe('the memory of the virtual hardware', () => {
  it.each([
    [512, 521],
    [2048, 2084],
    [16_384, 16_672],
    [122_880, 125_040],
  ])('of a machine of %d MiB is %d MiB', (memoryMiB, hardware) => {
    expect(hardwareMemoryMiB(size(memoryMiB))).toBe(hardware);
  });

  it.each(STEPS)(
    'holds page descriptors beside what a pod of $memoryMiB MiB is promised',
    ({ memoryMiB }) => {
      const hardware = hardwareMemoryMiB(size(memoryMiB));
      const descriptors = (hardware * 64) / 4096;
      const left = hardware - descriptors;
      expect(left).toBeGreaterThanOrEqual(memoryMiB);
      expect(left - (memoryMiB - NODE_MEMORY_MIB)).toBeLessThan(2 * NODE_MEMORY_MIB);
    },
  );
});
