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
 * Parses a network as liberally as API servers did before they became strict (Kubernetes
 * `StrictIPCIDRValidation`, on by default from 1.36): numbers may have zeros before them, and bits that are set
 * after the prefix count for nothing.
 * @returns undefined when the text is no IPv4 network
 */
export const parseLegacyNetwork = (cidr: string): Network | undefined => {
  const [address = '', bits = '', ...rest] = cidr.replaceAll(/\b0+(?=\d)/g, '').split('/');
  const any = parseAddress(address);
  if (rest.length > 0 || any === undefined || !/^(\d|[12]\d|3[0-2])$/.test(bits)) return undefined;
  const prefix = Number(bits);
  const size = 2 ** (32 - prefix);
  return { first: any - (any % size), size, prefix };
};

/**
 * Parses `a.b.c.d/n`.
 * @returns undefined when the text is no network, or has bits set after the prefix
 */
export const parseNetwork = (cidr: string): Network | undefined => {
  const network = parseLegacyNetwork(cidr);
  return network && `${formatAddress(network.first)}/${network.prefix}` === cidr ? network : undefined;
};
