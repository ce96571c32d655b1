/** Which address each balancer has. */
import { formatAddress, type Network, parseAddress } from '../net/ipv4.ts';

/** What gets an address: a Service, an Ingress or a group of Ingresses. */
export interface Owner {
  readonly id: string;
  /** The address written on it; undefined when it has none yet. */
  readonly address: string | undefined;
  /** RFC 3339 time of its creation. */
  readonly since: string;
}

/** Addresses by owner, and the owners for which none is left. */
export interface Assignment {
  readonly given: ReadonlyMap<string, string>;
  readonly without: readonly string[];
}

/** The first addresses and the last of a range are not given out, as in every subnet (AWS "Subnet sizing"). */
const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

const usable = ({ first, size }: Network, address: number): boolean =>
  address >= first + RESERVED_FIRST && address < first + size - RESERVED_LAST;

const byAge = (a: Owner, b: Owner): number => a.since.localeCompare(b.since) || a.id.localeCompare(b.id);

/**
 * Every owner keeps the address that is written on it, and the others get the lowest that are free. An address
 * outside the range, or one that an older owner has, was written by somebody else and does not count.
 */
export const assignAddresses = (range: Network, owners: readonly Owner[]): Assignment => {
  const given = new Map<string, string>();
  const taken = new Set<number>();
  const needing: string[] = [];
  for (const { id, address } of owners.toSorted(byAge)) {
    const known = parseAddress(address ?? '');
    if (known === undefined || !usable(range, known) || taken.has(known)) {
      needing.push(id);
      continue;
    }
    taken.add(known);
    given.set(id, formatAddress(known));
  }
  let next = range.first + RESERVED_FIRST;
  const without = needing.filter((id) => {
    while (taken.has(next)) next += 1;
    if (!usable(range, next)) return true;
    taken.add(next);
    given.set(id, formatAddress(next));
    return false;
  });
  return { given, without };
};
