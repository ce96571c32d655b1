import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inSteps, parseQuantity, QuantityError, toMiB, toMilli, UNIT } from './quantity.ts';

const MI = 1n << 20n;

describe('parseQuantity', () => {
  it.each([
    ['0', 0n],
    ['1', UNIT],
    ['+1', UNIT],
    ['-1', -UNIT],
    ['007', 7n * UNIT],
    ['1.', UNIT],
    ['.5', UNIT / 2n],
    ['0.5', UNIT / 2n],
    ['100m', UNIT / 10n],
    ['1500m', 1500n * (UNIT / 1000n)],
    ['1u', 1000n],
    ['1n', 1n],
    ['0.1n', 1n],
    ['-0.1n', -1n],
    ['0.0000000001', 1n],
    ['1k', 1000n * UNIT],
    ['1M', 10n ** 6n * UNIT],
    ['1G', 10n ** 9n * UNIT],
    ['1T', 10n ** 12n * UNIT],
    ['1P', 10n ** 15n * UNIT],
    ['1E', 10n ** 18n * UNIT],
    ['1Ki', 1024n * UNIT],
    ['1Mi', MI * UNIT],
    ['1Gi', (1n << 30n) * UNIT],
    ['1Ti', (1n << 40n) * UNIT],
    ['1Pi', (1n << 50n) * UNIT],
    ['1Ei', (1n << 60n) * UNIT],
    ['0.5Gi', (1n << 29n) * UNIT],
    ['0.1Ki', 102_400_000_000n],
    ['1e3', 1000n * UNIT],
    ['1E3', 1000n * UNIT],
    ['1e-3', UNIT / 1000n],
    ['12.5e+1', 125n * UNIT],
    ['1e1000000000000', (2n ** 63n - 1n) * UNIT],
    ['1e-1000000000000', 1n],
    ['0e1000000000000', 0n],
    ['16Ei', (2n ** 63n - 1n) * UNIT],
  ])('%s', (text, nano) => {
    expect(parseQuantity(text)).toBe(nano);
  });

  it('reads numbers of YAML', () => {
    expect(parseQuantity(2)).toBe(2n * UNIT);
    expect(parseQuantity(0.25)).toBe(UNIT / 4n);
    expect(parseQuantity(1e21)).toBe((2n ** 63n - 1n) * UNIT);
  });

  it.each([
    '',
    ' ',
    '.',
    '+',
    '-',
    'abc',
    '1 Gi',
    '1gi',
    '1K',
    '1mi',
    '1KiB',
    '1e',
    '1.5.2',
    '0x10',
    '1e1.5',
    'Infinity',
  ])('refuses %j', (text) => {
    expect(() => parseQuantity(text)).toThrow(QuantityError);
    expect(() => parseQuantity(text)).toThrow(`"${text}" is not a quantity`);
  });

  it('agrees with fractions of whole numbers', () => {
    const suffixes = {
      '': [1n, 1n],
      n: [1n, 10n ** 9n],
      u: [1n, 10n ** 6n],
      m: [1n, 1000n],
      k: [1000n, 1n],
      M: [10n ** 6n, 1n],
      G: [10n ** 9n, 1n],
      Ki: [1024n, 1n],
      Mi: [MI, 1n],
      Gi: [1n << 30n, 1n],
      e2: [100n, 1n],
      'E-2': [1n, 100n],
    } as const;
    fc.assert(
      fc.property(
        fc.constantFrom('', '-', '+'),
        fc.nat(999_999),
        fc.stringMatching(/^\d{0,12}$/),
        fc.constantFrom(...(Object.keys(suffixes) as (keyof typeof suffixes)[])),
        (sign, whole, decimals, suffix) => {
          const [by, over] = suffixes[suffix];
          const numerator = BigInt(`${whole}${decimals}`) * by * UNIT;
          const denominator = 10n ** BigInt(decimals.length) * over;
          const up = (numerator + denominator - 1n) / denominator;
          const text = `${sign}${whole}${decimals === '' ? '' : `.${decimals}`}${suffix}`;
          expect(parseQuantity(text)).toBe(sign === '-' ? -up : up);
        },
      ),
    );
  });
});

describe('rounding up', () => {
  it('to thousandths of a CPU', () => {
    expect(toMilli(parseQuantity('250m'))).toBe(250);
    expect(toMilli(parseQuantity('0.0001'))).toBe(1);
    expect(toMilli(parseQuantity('250.1m'))).toBe(251);
  });
  it('to MiB', () => {
    expect(toMiB(parseQuantity('256Mi'))).toBe(256);
    expect(toMiB(parseQuantity('268435457'))).toBe(257);
    expect(toMiB(parseQuantity('1'))).toBe(1);
  });
  it('keeps zero and never lifts what is negative above it', () => {
    expect(inSteps(0n, UNIT)).toBe(0);
    expect(inSteps(-1n, UNIT)).toBe(0);
  });
});
