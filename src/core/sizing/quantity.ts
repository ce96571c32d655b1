/**
 * Kubernetes quantities, parsed exactly.
 * Source: Kubernetes API conventions, "Resource quantities": sign, decimal number, then a decimal suffix
 * (n u m k M G T P E), a binary one (Ki Mi Gi Ti Pi Ei) or an exponent (e3, E-3).
 */

/** A quantity in billionths, the finest step that Kubernetes keeps. */
export type Nano = bigint;

/** One whole unit (a CPU, a byte) in billionths. */
export const UNIT: Nano = 1_000_000_000n;

/** The largest quantity: 2^63 - 1 units. More is cut to it. */
const LARGEST: Nano = (2n ** 63n - 1n) * UNIT;

/** Powers of ten of the largest quantity; exponents far beyond are not worth computing. */
const LARGEST_EXPONENT = 19;

const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?([EPTGMK]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

const BINARY: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};

/** A text that is no quantity; the API server would have refused the object. */
export class QuantityError extends Error {
  constructor(text: string) {
    super(`"${text}" is not a quantity: write a number with an optional suffix, such as 250m, 1.5 or 512Mi`);
    this.name = 'QuantityError';
  }
}

/** Division that rounds away from zero, as Kubernetes rounds what it cannot keep. */
const divideUp = (value: bigint, by: bigint): bigint => {
  const whole = value / by;
  return whole * by === value ? whole : whole + 1n;
};

const power = (exponent: number): bigint => 10n ** BigInt(exponent);

/** `digits` × 10^`exponent` in billionths, cut at LARGEST and rounded up to one billionth. */
const scaled = (digits: bigint, exponent: number): Nano => {
  if (digits === 0n) return 0n;
  const nano = exponent + 9;
  const length = digits.toString().length;
  if (length + exponent > LARGEST_EXPONENT + 1) return LARGEST;
  if (length + nano <= 0) return 1n;
  const value = nano >= 0 ? digits * power(nano) : divideUp(digits, power(-nano));
  return value > LARGEST ? LARGEST : value;
};

/**
 * Parses a quantity. Numbers, as YAML gives them unquoted, are read as their text.
 * @throws QuantityError
 */
export const parseQuantity = (input: string | number): Nano => {
  const text = String(input);
  const parts = SHAPE.exec(text);
  if (parts === null) throw new QuantityError(text);
  const [, sign, whole = '', fraction = '', suffix = ''] = parts;
  if (whole === '' && fraction === '') throw new QuantityError(text);
  const digits = BigInt(whole + fraction);
  const binary = BINARY[suffix];
  const exponent =
    -fraction.length + (DECIMAL[suffix] ?? (binary === undefined ? Number(suffix.slice(1)) : 0));
  const value = scaled(digits * (binary ?? 1n), exponent);
  return sign === '-' ? -value : value;
};

/** A quantity in whole steps of `step` billionths, rounded up; what does not fit a number is cut. */
export const inSteps = (value: Nano, step: Nano): number =>
  Number(value <= 0n ? value / step : divideUp(value, step));

/** Thousandths of a CPU, rounded up as the scheduler does. */
export const toMilli = (value: Nano): number => inSteps(value, UNIT / 1000n);

/** MiB, rounded up. */
export const toMiB = (value: Nano): number => inSteps(value, UNIT << 20n);
