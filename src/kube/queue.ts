/**
 * Keys that wait for their turn. A key is in it at most once, however often it is added, and comes out at the
 * earliest of the times asked for. While a key is being worked on it is held: added meanwhile, it comes out
 * again once it is released, so that no two workers ever have the same key and no change is missed.
 *
 *            add later          time has come            take
 *   absent ────────────▶ later ───────────────▶ ready ──────────▶ held
 *      │    add                                  ▲ ▲               │
 *      └─────────────────────────────────────────┘ │ added         │ release
 *                                                  └───────────────┤
 *                                           absent ◀───────────────┘ not added
 *
 * A held key can also wait for a later time; if that comes while it is held, it counts as added.
 */

/** The longest delay of a timer in Node.js, about 25 days. */
const LONGEST_MS = 2 ** 31 - 1;

interface Appointment {
  /** On the clock of `performance.now()`. */
  readonly due: number;
  readonly timer: NodeJS.Timeout;
}

export class Queue {
  readonly #later = new Map<string, Appointment>();
  /** In the order in which they became ready. */
  readonly #ready = new Set<string>();
  /** Keys being worked on, and whether they were added meanwhile. */
  readonly #held = new Map<string, boolean>();
  readonly #onReady: () => void;
  #closed = false;

  /** @param onReady called whenever there may be something to take */
  constructor(onReady: () => void) {
    this.#onReady = onReady;
  }

  /** Keys waiting, ready or not, and not those being worked on. */
  get size(): number {
    const again = [...this.#held.values()].filter(Boolean).length;
    return this.#later.size + this.#ready.size + again;
  }

  /** Wants the key to come out, at the latest after `afterMs` milliseconds. */
  add(key: string, afterMs = 0): void {
    if (this.#closed || this.#ready.has(key) || this.#held.get(key) === true) return;
    const due = performance.now() + afterMs;
    const appointment = this.#later.get(key);
    if (appointment !== undefined && appointment.due <= due) return;
    clearTimeout(appointment?.timer);
    this.#later.delete(key);
    if (afterMs <= 0) this.#makeReady(key);
    else {
      const timer = setTimeout(() => this.#makeReady(key), Math.min(afterMs, LONGEST_MS));
      this.#later.set(key, { due, timer });
    }
  }

  /** The next key, now held; undefined when none is ready. */
  take(): string | undefined {
    const [key] = this.#ready;
    if (key === undefined) return undefined;
    this.#ready.delete(key);
    this.#held.set(key, false);
    return key;
  }

  /** The work on a key taken is done. */
  release(key: string): void {
    const again = this.#held.get(key);
    this.#held.delete(key);
    if (again === true) this.#makeReady(key);
  }

  /** Forgets everything that waits and takes no more. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#later.values()) clearTimeout(timer);
    this.#later.clear();
    this.#ready.clear();
    this.#held.clear();
  }

  #makeReady(key: string): void {
    this.#later.delete(key);
    if (this.#held.has(key)) {
      this.#held.set(key, true);
      return;
    }
    this.#ready.add(key);
    this.#onReady();
  }
}
