/** A selection of objects kept in memory and up to date. */
import type { Resource } from '../api/resources.ts';
import type { Backoff } from './backoff.ts';
import { Cache } from './cache.ts';
import type { KubeClient, Selection } from './client.ts';
import { type Listener, Listeners } from './listeners.ts';
import type { Log } from './log.ts';
import { type KubeObject, keyOf } from './object.ts';
import { type Change, type ListWatch, watcher } from './watcher.ts';

/**
 * Objects by key, `namespace/name` or `name`. They are shared: nobody changes them.
 *
 * Read your writes: whoever writes an object passes the answer to `assume`, and from then on the store shows
 * that version or a newer one, never an older one. The object has to belong to the store's selection.
 */
export interface Store<T> {
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Resolves when the first list is complete; rejects when the store is stopped before. */
  readonly synced: Promise<void>;
  /**
   * Calls the listener for each change from now on, whatever its cause: watch, list or `assume`. `now` is
   * undefined for a deletion, `before` for a new object; after an outage both can be set and have different
   * uids. Gives the way to stop.
   */
  onChange(listener: Listener<T>): () => void;
  /**
   * The resourceVersion up to which the store has every change of its selection, not counting what was assumed;
   * `0` before the first list is complete.
   */
  reached(): string;
  /** Calls the listener whenever `reached` has moved. Gives the way to stop. */
  onReached(listener: () => void): () => void;
  /** Takes in what this process wrote, unless the store has something as new already. */
  assume(object: T): void;
  /** Ends the watch; listeners hear nothing more. */
  stop(): void;
}

/** Time limits of a watch; the defaults are right outside tests. */
interface WatchTiming {
  /**
   * Seconds until the server ends a watch. Default 290: proxies and clients commonly drop what takes 300.
   */
  readonly seconds?: number;
  /**
   * Milliseconds without a byte until a watch is opened anew. Default 75,000: an API server sends bookmarks
   * once a minute where anything happens, and where nothing does, a request every 75 s costs nothing.
   */
  readonly idleMs?: number;
  readonly backoff?: Backoff;
}

export interface StoreOptions<T> extends Selection {
  readonly log: Log;
  /**
   * Reduces an object before it is kept; what names it and its resourceVersion must stay. Default: drops
   * `managedFields`, which are a third of an object and of use to nobody here.
   */
  readonly transform?: (object: T) => T;
  readonly timing?: WatchTiming;
}

/** Starts keeping a selection of objects. Listeners that are added at once hear of every object. */
export const watchStore = <T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: StoreOptions<T>,
): Store<T> => {
  const { log, transform = withoutManagedFields } = options;
  // One object that a listener or a transform cannot read must not end the watch for all others.
  const complain = (what: string) => (error: unknown, key: string) =>
    log.error({ err: error, resource: resource.plural, key }, `${what} failed`);
  const cache = new Cache<T>();
  const listeners = new Listeners<T>(complain('a listener'));
  const followers = new Set<() => void>();
  const stopping = new AbortController();

  const reduce = (object: T): T => {
    try {
      return transform(object);
    } catch (error) {
      complain('a transform')(error, keyOf(object));
      return object;
    }
  };

  const run = async (complete: () => void): Promise<void> => {
    const { signal } = stopping;
    const source = listWatch(client, resource, options, signal);
    for await (const change of watcher(source, { ...options.timing, what: resource.plural, log, signal })) {
      await listeners.tellInTurns(cache.take(reduced(change, reduce)));
      for (const follow of followers) follow();
      if (change.type === 'page' && change.last) complete();
    }
  };

  const synced = new Promise<void>((resolve, reject) => {
    const early = `the store of ${resource.plural} was stopped before its first list was complete`;
    // Without effect when it was complete. `run` itself fails for no reason but a bug, which ends the process.
    void run(resolve).then(() => reject(new Error(early)));
  });
  synced.catch(() => {}); // concerns only those who wait for it, and they are told

  return {
    get: (key) => cache.get(key),
    list: () => cache.list(),
    synced,
    onChange: (listener) => listeners.add(listener),
    reached: () => cache.reached,
    onReached: (listener) => {
      followers.add(listener);
      return () => followers.delete(listener);
    },
    assume: (object) => listeners.tell(cache.assume(reduce(object))),
    stop: () => {
      stopping.abort();
      listeners.clear();
      followers.clear();
    },
  };
};

const listWatch = <T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { namespace, labelSelector, fieldSelector, timing = {} }: StoreOptions<T>,
  signal: AbortSignal,
): ListWatch<T> => {
  const selection: Selection = { namespace, labelSelector, fieldSelector };
  const { seconds = 290, idleMs = 75_000 } = timing;
  return {
    page: (continueToken) => client.page(resource, { ...selection, continueToken }),
    open: (resourceVersion) =>
      client.watch(resource, { ...selection, resourceVersion, seconds, idleMs, signal }),
  };
};

const reduced = <T>(change: Change<T>, reduce: (object: T) => T): Change<T> =>
  change.type === 'page'
    ? { ...change, objects: change.objects.map(reduce) }
    : { ...change, object: reduce(change.object) };

const withoutManagedFields = <T extends KubeObject>(object: T): T => {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
};
