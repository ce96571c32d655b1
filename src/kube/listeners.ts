import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Difference } from './cache.ts';

export type Listener<T> = (key: string, now: T | undefined, before: T | undefined) => void;

/** Differences told before other work gets a turn. */
const BATCH = 500;

/** Tells listeners of differences in the order in which they arose, without holding up the event loop. */
export class Listeners<T> {
  readonly #listeners = new Set<Listener<T>>();
  /** What is yet to be told. Empty but for the turns that a long list takes. */
  readonly #backlog: Difference<T>[] = [];
  readonly #onError: (error: unknown, key: string) => void;

  /** @param onError hears of a listener that throws, which keeps nothing from the others */
  constructor(onError: (error: unknown, key: string) => void) {
    this.#onError = onError;
  }

  /** Gives the way to take the listener off again. */
  add(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  clear(): void {
    this.#listeners.clear();
  }

  /** Tells at once, or, while a long list is being told, after it. */
  tell(differences: readonly Difference<T>[]): void {
    if (this.#backlog.length > 0) this.#backlog.push(...differences);
    else for (const difference of differences) this.#tellOne(difference);
  }

  /** Tells however many there are, in turns, and resolves when all are told. Not to be called meanwhile. */
  async tellInTurns(differences: readonly Difference<T>[]): Promise<void> {
    for (const difference of differences) this.#backlog.push(difference);
    while (this.#backlog.length > 0) {
      for (const difference of this.#backlog.splice(0, BATCH)) this.#tellOne(difference);
      if (this.#backlog.length > 0) await nextTurn();
    }
  }

  #tellOne({ key, now, before }: Difference<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(key, now, before);
      } catch (error) {
        this.#onError(error, key);
      }
    }
  }
}
