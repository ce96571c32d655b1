/**
 * The objects of one selection as a watcher tells of them, plus what this process wrote itself and the
 * watcher has not told of yet. No I/O; `store.ts` feeds it.
 */
import { isNewer, type KubeObject, keyOf, versionOf } from './object.ts';
import type { Change } from './watcher.ts';

/** One key whose object changed: created without `before`, gone without `now`. */
export interface Difference<T> {
  readonly key: string;
  readonly now: T | undefined;
  readonly before: T | undefined;
}

export class Cache<T extends KubeObject> {
  #objects = new Map<string, T>();
  /** The list under way; replaces `#objects` with its last page. */
  #incoming = new Map<string, T>();
  /** Keys whose object was assumed and is newer than what the watcher told. */
  readonly #assumed = new Set<string>();
  /** How far the watcher has come. */
  #reached = '0';

  /** The resourceVersion up to which every change was told by the watcher. */
  get reached(): string {
    return this.#reached;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** Takes in what a watcher tells. Gives what is different now. */
  take(change: Change<T>): readonly Difference<T>[] {
    if (change.type === 'page') return this.#takePage(change);
    const key = keyOf(change.object);
    const version = versionOf(change.object);
    this.#reached = version;
    if (this.#isAheadOf(version, key)) return [];
    this.#assumed.delete(key);
    return this.#put(key, change.type === 'applied' ? change.object : undefined);
  }

  /**
   * Takes in an object that this process just wrote, so that its next look sees it. An object that the watcher
   * has already passed is left alone: it told of it, or of a later change or deletion.
   */
  assume(object: T): readonly Difference<T>[] {
    const key = keyOf(object);
    const version = versionOf(object);
    if (!isNewer(version, this.#reached) || this.#isAheadOf(version, key)) return [];
    this.#assumed.add(key);
    return this.#put(key, object);
  }

  #takePage(page: Extract<Change<T>, { type: 'page' }>): readonly Difference<T>[] {
    if (page.first) this.#incoming = new Map();
    for (const object of page.objects) this.#incoming.set(keyOf(object), object);
    return page.last ? this.#replaceAll(page.resourceVersion) : [];
  }

  /** Makes the list just completed the whole truth, but for objects assumed after its moment. */
  #replaceAll(resourceVersion: string): readonly Difference<T>[] {
    const before = this.#objects;
    const now = this.#incoming;
    this.#incoming = new Map();
    this.#reached = resourceVersion;
    for (const key of this.#assumed) {
      const object = before.get(key);
      if (object !== undefined && isNewer(versionOf(object), resourceVersion)) now.set(key, object);
      else this.#assumed.delete(key);
    }
    this.#objects = now;
    return differences(before, now);
  }

  #isAheadOf(version: string, key: string): boolean {
    const held = this.#assumed.has(key) ? this.#objects.get(key) : undefined;
    return held !== undefined && isNewer(versionOf(held), version);
  }

  #put(key: string, now: T | undefined): readonly Difference<T>[] {
    const before = this.#objects.get(key);
    if (now === undefined) this.#objects.delete(key);
    else this.#objects.set(key, now);
    return isSame(before, now) ? [] : [{ key, now, before }];
  }
}

const isSame = (a: KubeObject | undefined, b: KubeObject | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && versionOf(a) === versionOf(b));

const differences = <T extends KubeObject>(
  before: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
): readonly Difference<T>[] => {
  const found: Difference<T>[] = [];
  for (const [key, object] of now) {
    const old = before.get(key);
    if (!isSame(old, object)) found.push({ key, now: object, before: old });
  }
  for (const [key, old] of before) if (!now.has(key)) found.push({ key, now: undefined, before: old });
  return found;
};
