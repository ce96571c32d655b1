/** Sets of IPv4 addresses as ranges: sorted, apart from each other, both ends included. */
import { type Network, parseLegacyNetwork } from './ipv4.ts';

/** The addresses from `first` to `last`, as numbers from 0 to 2^32 - 1. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** A set of addresses; made by the functions of this file only, which keep it in order. */
export type Ranges = readonly Range[];

/** Every address. */
export const EVERYWHERE: Ranges = [{ first: 0, last: 2 ** 32 - 1 }];

/** The set of the addresses of all ranges, in any order and overlapping as they like. */
export const union = (ranges: Iterable<Range>): Ranges => {
  const result: { first: number; last: number }[] = [];
  for (const { first, last } of [...ranges].toSorted((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before === undefined || first > before.last + 1) result.push({ first, last });
    else before.last = Math.max(before.last, last);
  }
  return result;
};

/** What is in `ranges` and not in `holes`. */
export const without = (ranges: Ranges, holes: Ranges): Ranges => {
  let rest = ranges;
  for (const hole of holes) {
    rest = rest.flatMap(({ first, last }) =>
      [
        { first, last: Math.min(last, hole.first - 1) },
        { first: Math.max(first, hole.last + 1), last },
      ].filter((part) => part.first <= part.last),
    );
  }
  return rest;
};

/** Whether an address is in the set. */
export const contains = (ranges: Ranges, address: number): boolean =>
  ranges.some(({ first, last }) => first <= address && address <= last);

/** Whether the set is every address. */
export const isEverywhere = (ranges: Ranges): boolean =>
  ranges[0]?.first === 0 && ranges[0].last === 2 ** 32 - 1;

/** The range of one address. */
export const single = (address: number): Range => ({ first: address, last: address });

const rangeOf = ({ first, size }: Network): Range => ({ first, last: first + size - 1 });

/**
 * The IPv4 addresses of networks in CIDR notation, as old objects may have them; what is none, such as an IPv6
 * network, adds nothing.
 */
export const rangesOf = (cidrs: readonly string[]): Ranges =>
  union(
    cidrs
      .map(parseLegacyNetwork)
      .filter((network) => network !== undefined)
      .map(rangeOf),
  );
