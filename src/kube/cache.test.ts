import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cache, type Difference } from './cache.ts';
import { isNewer, type KubeObject, keyOf, versionOf } from './object.ts';
import type { Change } from './watcher.ts';

const object = (name: string, version: number): KubeObject => ({
  metadata: { name, namespace: 'n', resourceVersion: String(version) },
});
const page = (objects: KubeObject[], version: number, part = { first: true, last: true }) =>
  ({ type: 'page', ...part, objects, resourceVersion: String(version) }) as const;
const applied = (name: string, version: number) =>
  ({ type: 'applied', object: object(name, version) }) as const;
const deleted = (name: string, version: number) =>
  ({ type: 'deleted', object: object(name, version) }) as const;

describe('Cache', () => {
  it('replaces its contents at once, when the last page of a list has come', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([object('gone', 1), object('kept', 2)], 5));
    expect(cache.take(page([object('kept', 2)], 9, { first: true, last: false }))).toEqual([]);
    expect(cache.get('n/gone')).toBeDefined();
    const differences = cache.take(page([object('new', 8)], 9, { first: false, last: true }));
    expect(differences).toEqual([
      { key: 'n/new', now: object('new', 8), before: undefined },
      { key: 'n/gone', now: undefined, before: object('gone', 1) },
    ]);
    expect(cache.list()).toEqual([object('kept', 2), object('new', 8)]);
  });

  it('forgets the pages of a list that was started over', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([object('a', 1)], 5, { first: true, last: false }));
    cache.take(page([object('b', 6)], 7));
    expect(cache.list()).toEqual([object('b', 6)]);
  });

  it('shows an assumed object at once and hears of it only once', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([object('a', 1)], 5));
    expect(cache.assume(object('a', 7))).toEqual([
      { key: 'n/a', now: object('a', 7), before: object('a', 1) },
    ]);
    expect(cache.take(applied('a', 6))).toEqual([]);
    expect(cache.get('n/a')).toEqual(object('a', 7));
    expect(cache.take(applied('a', 7))).toEqual([]);
    expect(cache.take(applied('a', 8))).toHaveLength(1);
  });

  it('does not bring back what was deleted before it could be assumed', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([], 5));
    cache.take(applied('a', 6));
    cache.take(deleted('a', 7));
    expect(cache.assume(object('a', 6))).toEqual([]);
    expect(cache.get('n/a')).toBeUndefined();
  });

  it('keeps a recreated object when the deletion of its predecessor comes late', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([object('a', 1)], 5));
    cache.assume(object('a', 8));
    expect(cache.take(deleted('a', 7))).toEqual([]);
    expect(cache.get('n/a')).toEqual(object('a', 8));
    cache.take(deleted('a', 9));
    expect(cache.get('n/a')).toBeUndefined();
  });

  it('keeps an assumed object through a list that is older, and drops it by one that is newer', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([], 5));
    cache.assume(object('a', 8));
    cache.take(page([], 7));
    expect(cache.get('n/a')).toEqual(object('a', 8));
    cache.take(page([], 9));
    expect(cache.get('n/a')).toBeUndefined();
  });

  it('does not bring back what a list has shown to be gone', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([], 9));
    expect(cache.assume(object('a', 8))).toEqual([]);
    expect(cache.get('n/a')).toBeUndefined();
  });

  it('believes a list that is older than what it watched: the server was restored from a backup', () => {
    const cache = new Cache<KubeObject>();
    cache.take(page([object('a', 100)], 200));
    cache.assume(object('b', 201));
    cache.take(applied('b', 201));
    cache.take(page([object('a', 50)], 60));
    expect(cache.list()).toEqual([object('a', 50)]);
  });
});

/** What may happen between a server, this process and its watch. */
type Action =
  | { readonly do: 'write' | 'delete'; readonly key: number; readonly own: boolean }
  /** The watch brings some of what happened. */
  | { readonly do: 'watch'; readonly events: number }
  /** The answers to this process's own writes arrive. */
  | { readonly do: 'answer' }
  | { readonly do: 'list' };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constantFrom('write' as const, 'delete' as const),
    key: fc.nat({ max: 3 }),
    own: fc.boolean(),
  }),
  fc.record({ do: fc.constant('watch' as const), events: fc.nat({ max: 4 }) }),
  fc.record({ do: fc.constant('answer' as const) }),
  fc.record({ do: fc.constant('list' as const) }),
);

/** A server, a process with a cache, and what travels between them. */
class World {
  readonly cache = new Cache<KubeObject>();
  readonly server = new Map<string, KubeObject>();
  /** What a listener of the cache has put together from differences. */
  readonly told = new Map<string, KubeObject>();
  readonly #history: Change<KubeObject>[] = [];
  #read = 0;
  readonly #answers: KubeObject[] = [];
  /** Versions written by this process and answered, as long as nobody deleted the object. */
  readonly #mine = new Map<string, string>();
  /** Version of the last deletion of each key: what was written before it is gone, even if the key has an object again. */
  readonly #deleted = new Map<string, string>();
  #version = 8; // so that versions of one and of two digits are compared

  constructor() {
    this.list();
  }

  do(act: Action): void {
    if (act.do === 'watch') this.watch(act.events);
    else if (act.do === 'list') this.list();
    else if (act.do === 'answer') this.answer();
    else if (act.do === 'write') this.#write(object(`k${act.key}`, ++this.#version), act.own);
    else this.#delete(object(`k${act.key}`, ++this.#version));
  }

  watch(events: number): void {
    for (const change of this.#history.slice(this.#read, this.#read + events))
      this.#hear(this.cache.take(change));
    this.#read = Math.min(this.#read + events, this.#history.length);
  }

  list(): void {
    this.#hear(this.cache.take(page([...this.server.values()], this.#version)));
    this.#read = this.#history.length;
  }

  /** The last answer arrives first: nothing keeps concurrent requests in order. */
  answer(): void {
    for (const written of this.#answers.splice(0).reverse()) {
      const key = keyOf(written);
      this.#hear(this.cache.assume(written));
      const stands = isNewer(versionOf(written), this.#deleted.get(key) ?? '0');
      if (stands && !this.#mine.has(key)) this.#mine.set(key, versionOf(written));
    }
  }

  /** No write of this process that was answered has gone back to what was before it. */
  check(): void {
    for (const [key, written] of this.#mine) {
      const seen = this.cache.get(key);
      expect(seen !== undefined && !isNewer(written, versionOf(seen))).toBe(true);
    }
  }

  #write(written: KubeObject, own: boolean): void {
    this.server.set(keyOf(written), written);
    this.#history.push({ type: 'applied', object: written });
    if (own) this.#answers.push(written);
  }

  #delete(last: KubeObject): void {
    if (!this.server.delete(keyOf(last))) return;
    this.#history.push({ type: 'deleted', object: last });
    this.#deleted.set(keyOf(last), versionOf(last));
    this.#mine.delete(keyOf(last));
  }

  #hear(differences: readonly Difference<KubeObject>[]): void {
    for (const { key, now, before } of differences) {
      expect(this.told.get(key)).toEqual(before);
      if (now === undefined) this.told.delete(key);
      else this.told.set(key, now);
    }
  }
}

describe('Cache, whatever the order of writes, answers, events and lists', () => {
  it('never shows an own write undone, and in the end shows what the server has', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.boolean(), (actions, answersLast) => {
        const world = new World();
        for (const act of actions) {
          world.do(act);
          world.check();
        }
        if (!answersLast) world.answer();
        world.watch(Number.POSITIVE_INFINITY);
        world.answer();
        expect(new Map(world.cache.list().map((each) => [keyOf(each), each]))).toEqual(world.server);
        expect(world.told).toEqual(world.server);
      }),
      { numRuns: 2_000 },
    );
  });
});
