import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity, toMiB, toMilli } from './quantity.ts';
import type { Requests } from './requests.ts';
import { capacityProvisioned, type Sizing, STEPS, sizeFor } from './size.ts';

const requests = (cpu: string, memory: string, storageMiB = 0): Requests => ({
  milliCpu: toMilli(parseQuantity(cpu)),
  memoryMiB: toMiB(parseQuantity(memory)),
  storageMiB,
  unsupported: [],
});

const text = (sizing: Sizing): string =>
  'ok' in sizing ? capacityProvisioned(sizing.ok) : `${sizing.tooLarge.reason} ${sizing.tooLarge.message}`;

const TOO_LARGE =
  "POD_CPU_MEM_EXCEEDS_MAX_FARGATE_SIZE Your pod's cpu/memory requirements exceed the max Fargate configuration";

describe('the 74 steps of spec §4.1', () => {
  it.each([
    [250, [0.5, 1, 2]],
    [500, [1, 2, 3, 4]],
    [1000, [2, 3, 4, 5, 6, 7, 8]],
    [2000, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]],
    [4000, [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]],
    [8000, [16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60]],
    [16000, [32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120]],
  ])('%s thousandths', (milliCpu, gigabytes) => {
    const found = STEPS.filter((step) => step.milliCpu === milliCpu).map((step) => step.memoryMiB / 1024);
    expect(found).toEqual(gigabytes);
  });
  it('are 74', () => expect(STEPS).toHaveLength(74));
});

describe('sizeFor', () => {
  it.each([
    ['0', '0', '0.25vCPU 0.5GB'],
    ['250m', '256Mi', '0.25vCPU 0.5GB'],
    ['250m', '257Mi', '0.25vCPU 1GB'],
    ['250m', '268435457', '0.25vCPU 1GB'],
    ['250m', '1792Mi', '0.25vCPU 2GB'],
    ['250m', '1793Mi', '0.5vCPU 3GB'],
    ['251m', '0', '0.5vCPU 1GB'],
    ['500m', '500Mi', '0.5vCPU 1GB'],
    ['500m', '1Gi', '0.5vCPU 2GB'],
    ['1', '512Mi', '1vCPU 2GB'],
    ['1', '8Gi', '2vCPU 9GB'],
    ['2', '2Gi', '2vCPU 4GB'],
    ['3', '1Gi', '4vCPU 8GB'],
    ['4', '30Gi', '8vCPU 32GB'],
    ['8', '60Gi', '16vCPU 64GB'],
    ['16', '119.75Gi', '16vCPU 120GB'],
    ['16', '120Gi', TOO_LARGE],
    ['16001m', '0', TOO_LARGE],
    ['1e18', '1', TOO_LARGE],
    ['1', '8Ei', TOO_LARGE],
  ])('%s CPU, %s memory → %s', (cpu, memory, expected) => {
    expect(text(sizeFor(requests(cpu, memory)))).toBe(expected);
  });

  it.each([
    [0, 20],
    [1, 20],
    [16 * 1024, 20],
    [16 * 1024 + 1, 32],
    [20 * 1024, 35],
    [100 * 1024, 115],
    [175 * 1024, 190],
  ])('%s MiB of ephemeral storage → %s GiB', (asked, provisioned) => {
    expect(sizeFor(requests('1', '1Gi', asked))).toMatchObject({ ok: { storageGiB: provisioned } });
  });

  it('refuses more ephemeral storage than there is', () => {
    expect(text(sizeFor(requests('1', '1Gi', 175 * 1024 + 1)))).toBe(
      'POD_UNSUPPORTED_ON_FARGATE Pod not supported on Fargate: ephemeral-storage requests exceed 175Gi',
    );
  });

  it('is the cheapest step that fits, by looking at all of them', () => {
    const price = (s: { milliCpu: number; memoryMiB: number }) => s.milliCpu * 1e6 + s.memoryMiB;
    fc.assert(
      fc.property(fc.nat(17_000), fc.nat(125 * 1024), (milliCpu, memoryMiB) => {
        const fits = STEPS.filter((s) => s.milliCpu >= milliCpu && s.memoryMiB >= memoryMiB + 256);
        const best = [...fits].sort((a, b) => price(a) - price(b))[0];
        const sizing = sizeFor({ milliCpu, memoryMiB, storageMiB: 0, unsupported: [] });
        expect('ok' in sizing ? sizing.ok : undefined).toEqual(best && { ...best, storageGiB: 20 });
      }),
    );
  });

  it('always leaves the pod what it asked for', () => {
    fc.assert(
      fc.property(
        fc.nat(16_000),
        fc.nat(119 * 1024),
        fc.nat(175 * 1024),
        (milliCpu, memoryMiB, storageMiB) => {
          const sizing = sizeFor({ milliCpu, memoryMiB, storageMiB, unsupported: [] });
          if (!('ok' in sizing)) throw new Error('too large');
          expect(sizing.ok.milliCpu).toBeGreaterThanOrEqual(milliCpu);
          expect(sizing.ok.memoryMiB - 256).toBeGreaterThanOrEqual(memoryMiB);
          expect((sizing.ok.storageGiB - 4) * 1024).toBeGreaterThanOrEqual(storageMiB);
        },
      ),
    );
  });
});
