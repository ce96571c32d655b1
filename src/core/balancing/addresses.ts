/** Which address each balancer has. */
import { formatAddress, type Network, parseAddress } from '../net/ipv4.ts';

/** What asks for an address: a Service or an Ingress. */
export interface Asker {
  /** Key of what gets one address: Ingresses of a group have the same. */
  readonly id: string;
  /** The address that its status tells, which nobody but controllers may write. */
  readonly told: string | undefined;
  /** The address that is written on it, which whoever may edit it may change. */
  readonly written: string | undefined;
  /** RFC 3339 time of its creation. */
  readonly since: string;
}

/** Addresses by key, and the keys for which none is left. */
export interface Assignment {
  readonly given: ReadonlyMap<string, string>;
  readonly without: readonly string[];
}

/** The first addresses and the last of a range are not given out, as in every subnet (AWS "Subnet sizing"). */
const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

const usable = ({ first, size }: Network, address: number): boolean =>
  address >= first + RESERVED_FIRST && address < first + size - RESERVED_LAST;

const byAge = (a: Asker, b: Asker): number => a.since.localeCompare(b.since) || a.id.localeCompare(b.id);

/**
 * Everybody keeps the address that the status tells; then what is written counts, so that nobody gets another's
 * by writing it down; and the others get the lowest that are free. Of two with the same address the older has it,
 * and an address outside the range was written by somebody else and does not count.
 */
export const assignAddresses = (range: Network, askers: readonly Asker[]): Assignment => {
  const given = new Map<string, string>();
  const taken = new Set<number>();
  const give = (id: string, address: number): void => {
    taken.add(address);
    given.set(id, formatAddress(address));
  };
  const inOrder = askers.toSorted(byAge);
  for (const kept of ['told', 'written'] as const)
    for (const asker of inOrder) {
      const address = parseAddress(asker[kept] ?? '');
      if (given.has(asker.id) || address === undefined || !usable(range, address)) continue;
      if (!taken.has(address)) give(asker.id, address);
    }
  let next = range.first + RESERVED_FIRST;
  const needing = new Set(inOrder.map(({ id }) => id).filter((id) => !given.has(id)));
  const without = [...needing].filter((id) => {
    while (taken.has(next)) next += 1;
    if (!usable(range, next)) return true;
    give(id, next);
    return false;
  });
  return { given, without };
};
