/** IPv4 addresses and networks as plain numbers. */

/** A network: the first address and how many there are. */
export interface Network {
  readonly first: number;
  readonly size: number;
  /** Bits of the prefix, 0 to 32. */
  readonly prefix: number;
}

/**
 * Parses a dotted quad.
 * @returns the address as a number from 0 to 2^32 - 1, or undefined when the text is none
 */
export const parseAddress = (text: string): number | undefined => {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
};

/** A number from 0 to 2^32 - 1 as a dotted quad. */
export const formatAddress = (value: number): string =>
  `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;

/**
 * Parses `a.b.c.d/n`.
 * @returns undefined when the text is no network, or has bits set after the prefix
 */
export const parseNetwork = (cidr: string): Network | undefined => {
  const slash = cidr.indexOf('/');
  const first = parseAddress(cidr.slice(0, slash));
  const bits = cidr.slice(slash + 1);
  if (slash < 0 || first === undefined || !/^(\d|[12]\d|3[0-2])$/.test(bits)) return undefined;
  const prefix = Number(bits);
  const size = 2 ** (32 - prefix);
  return first % size === 0 ? { first, size, prefix } : undefined;
};
