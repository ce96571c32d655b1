/** Lists in pages: `maxResults` and an opaque `nextToken` (spec/fargate.md §1.1, "Pagination"). */
import type { Refusal } from './errors.ts';

/** Items of a page when none are asked for, and at most. */
const LARGEST = 100;

/** The members of a list request, as they stand in the query. */
export interface PageRequest {
  readonly maxResults?: string | undefined;
  readonly nextToken?: string | undefined;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  /** Asks for what follows; null at the end. */
  readonly nextToken: string | null;
}

const tokenAfter = (list: string, name: string): string =>
  Buffer.from(`${list}:${name}`).toString('base64url');

/** The name in a token that this list gave out; undefined for any other text. */
const nameIn = (list: string, token: string): string | undefined => {
  const text = Buffer.from(token, 'base64url').toString();
  const name = text.startsWith(`${list}:`) ? text.slice(list.length + 1) : undefined;
  return name !== undefined && tokenAfter(list, name) === token ? name : undefined;
};

const refuse = (message: string): Refusal => ({ type: 'InvalidParameterException', message });

/**
 * One page in the order of names. A token holds the last name given, so that items that come and go in
 * between are neither skipped nor given twice.
 * @param list operation that gives the list, by its name: tokens are good for no other one
 */
export const pageOf = <T>(
  list: string,
  all: readonly T[],
  nameOf: (item: T) => string,
  { maxResults, nextToken }: PageRequest,
): PageOf<T> | Refusal => {
  const size = maxResults === undefined ? LARGEST : Number(maxResults);
  if (!/^\d*$/.test(maxResults ?? '') || !Number.isInteger(size) || size < 1 || size > LARGEST)
    return refuse(`maxResults must be a whole number from 1 to ${LARGEST}, and not ${maxResults}`);
  const after = nextToken === undefined ? '' : nameIn(list, nextToken);
  if (after === undefined) return refuse('nextToken is not one that this service gave');
  const rest = all.toSorted(by(nameOf)).filter((item) => nameOf(item) > after);
  const items = rest.slice(0, size);
  const last = items.at(-1);
  const more = rest.length > size && last !== undefined;
  return { items, nextToken: more ? tokenAfter(list, nameOf(last)) : null };
};

const by =
  <T>(nameOf: (item: T) => string) =>
  (a: T, b: T): number =>
    nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0;
