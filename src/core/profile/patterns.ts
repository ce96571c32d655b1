/**
 * Many patterns against one text: only those are tried whose plain beginning, up to the first wildcard, the
 * text has. So thousands of patterns cost one look-up for each different length of a beginning.
 */
import { compile, isPattern, type Test } from './wildcard.ts';

/** Something with a pattern. */
export interface Patterned<T> {
  readonly pattern: string;
  readonly item: T;
}

interface Tried<T> {
  readonly test: Test;
  readonly item: T;
}

const beginning = (pattern: string): string => /^[^*?]*/.exec(pattern)?.[0] ?? '';

const file = <T>(into: Map<string, T[]>, key: string, item: T): void => {
  const known = into.get(key);
  if (known === undefined) into.set(key, [item]);
  else known.push(item);
};

/** Patterns, prepared. */
export class Patterns<T> {
  readonly #exact = new Map<string, T[]>();
  readonly #byBeginning = new Map<string, Tried<T>[]>();
  readonly #lengths: readonly number[];

  /** @param list in the order in which `find` shall try them, within each of its lists */
  constructor(list: Iterable<Patterned<T>>) {
    const lengths = new Set<number>();
    for (const { pattern, item } of list) {
      if (!isPattern(pattern)) {
        file(this.#exact, pattern, item);
        continue;
      }
      const start = beginning(pattern);
      lengths.add(start.length);
      file(this.#byBeginning, start, { test: compile(pattern), item });
    }
    this.#lengths = [...lengths];
  }

  /**
   * Calls `visit` with items whose pattern matches, list by list; a list goes on while `visit` gives true.
   */
  visit(text: string, visit: (item: T) => boolean): void {
    for (const item of this.#exact.get(text) ?? []) if (!visit(item)) break;
    for (const length of this.#lengths) {
      if (length > text.length) continue;
      for (const { test, item } of this.#byBeginning.get(text.slice(0, length)) ?? [])
        if (test(text) && !visit(item)) break;
    }
  }

  /** All items whose pattern matches. */
  matching(text: string): readonly T[] {
    const found: T[] = [];
    this.visit(text, (item) => found.push(item) > 0);
    return found;
  }
}
