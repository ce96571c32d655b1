/**
 * List and watch as a machine with four states, after the watcher of kube-rs (`kube-runtime`). A state carries
 * all that the next step needs; nothing else is remembered.
 *
 *   empty      nothing is known. Reads the first page of a list.
 *   listing    some pages of a list were read. Reads the next one.
 *   listed     everything up to a resourceVersion is known. Opens a watch from there.
 *   watching   a watch is open. Takes its next event.
 *
 *              page            last page           accepted
 *   empty ──────────▶ listing ──────────▶ listed ──────────▶ watching ◀─┐ event, bookmark:
 *     ▲ └────────────────────────────────▶ ▲ ▲                 │ │ └────┘ newer resourceVersion
 *     │                                    │ └─────────────────┘ │ ended, went silent, failed: go on from
 *     └────────────────────────────────────┴─────────────────────┘ the same resourceVersion
 *         410: the resourceVersion is too old, or 400: the server cannot read it; start over
 *
 * Any other failure of a list or of opening a watch leaves the state as it was, to be tried again.
 *
 * A list is handed on page by page, the first and the last one marked, so that its reader can put it together
 * aside and replace all it knew at once: a deletion that no watch told of is then seen as an absence.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backoff, delay } from './backoff.ts';
import type { Page, WatchEvent } from './client.ts';
import { apiErrorOfStatus, ConnectionError, isExpired, isForbidden, isMalformed } from './errors.ts';
import type { Log } from './log.ts';
import { type KubeObject, versionOf } from './object.ts';

/** What a watcher tells, in order. */
export type Change<T> =
  /** A page of a list; from `first` to `last` they are everything there is at `resourceVersion`. */
  | {
      readonly type: 'page';
      readonly first: boolean;
      readonly last: boolean;
      readonly objects: readonly T[];
      readonly resourceVersion: string;
    }
  /** An object was created or changed, or has come to match the selection. */
  | { readonly type: 'applied'; readonly object: T }
  /** An object is gone or no longer matches; its resourceVersion is that of the deletion. */
  | { readonly type: 'deleted'; readonly object: T };

export type State<T> =
  | { readonly at: 'empty' }
  | { readonly at: 'listing'; readonly continueToken: string }
  | { readonly at: 'listed'; readonly resourceVersion: string }
  | { readonly at: 'watching'; readonly resourceVersion: string; readonly stream: WatchStream<T> };

export type WatchStream<T> = AsyncGenerator<WatchEvent<T>, void>;

/** What one step brought. */
type Outcome<T> =
  | { readonly outcome: 'change'; readonly change: Change<T> }
  /** The state advanced, and there is nothing to tell. */
  | { readonly outcome: 'progress' }
  /** The watch was closed by the server at its time limit, or not a byte arrived for too long. */
  | { readonly outcome: 'ended' }
  | { readonly outcome: 'failed'; readonly error: unknown };

export type Step<T> = Outcome<T> & { readonly next: State<T> };

/** The two requests that a watcher makes. */
export interface ListWatch<T> {
  page(continueToken: string | undefined): Promise<Page<T>>;
  open(resourceVersion: string): Promise<WatchStream<T>>;
}

/** Goes from one state to the next; never throws. */
export const step = async <T extends KubeObject>(api: ListWatch<T>, state: State<T>): Promise<Step<T>> => {
  try {
    switch (state.at) {
      case 'empty':
        return pageStep(await api.page(undefined), true);
      case 'listing':
        return pageStep(await api.page(state.continueToken), false);
      case 'listed': {
        const stream = await api.open(state.resourceVersion);
        return {
          outcome: 'progress',
          next: { at: 'watching', resourceVersion: state.resourceVersion, stream },
        };
      }
      case 'watching':
        return await eventStep(state);
    }
  } catch (error) {
    return failedStep(state, error);
  }
};

const pageStep = <T>({ objects, resourceVersion, continueToken }: Page<T>, first: boolean): Step<T> => ({
  outcome: 'change',
  change: { type: 'page', first, last: continueToken === undefined, objects, resourceVersion },
  next: continueToken === undefined ? { at: 'listed', resourceVersion } : { at: 'listing', continueToken },
});

const eventStep = async <T extends KubeObject>(
  state: Extract<State<T>, { at: 'watching' }>,
): Promise<Step<T>> => {
  const { done, value: event } = await state.stream.next();
  if (done === true) return { outcome: 'ended', next: listed(state) };
  if (event.type === 'ERROR') {
    await state.stream.return();
    throw apiErrorOfStatus('watch', event.object);
  }
  const next: State<T> = { ...state, resourceVersion: versionOf(event.object) };
  if (event.type === 'BOOKMARK') return { outcome: 'progress', next };
  const type = event.type === 'DELETED' ? 'deleted' : 'applied';
  return { outcome: 'change', change: { type, object: event.object }, next };
};

const failedStep = <T>(state: State<T>, error: unknown): Step<T> => {
  if (isExpired(error) || isMalformed(error)) return { outcome: 'failed', error, next: { at: 'empty' } };
  if (state.at !== 'watching') return { outcome: 'failed', error, next: state };
  const silent = error instanceof ConnectionError && error.kind === 'silent';
  return silent
    ? { outcome: 'ended', next: listed(state) }
    : { outcome: 'failed', error, next: listed(state) };
};

const listed = <T>({ resourceVersion }: { resourceVersion: string }): State<T> => ({
  at: 'listed',
  resourceVersion,
});

/** The first retry is immediate: watches end in the ordinary course of things. */
const BACKOFF: Backoff = { firstMs: 250, longestMs: 30_000 };

/**
 * Runs the machine until `signal` is aborted, waiting longer and longer between steps that bring nothing. Only
 * an event of a watch proves that all is well, and ends the waiting: a list may work while watches do not.
 */
export async function* watcher<T extends KubeObject>(
  api: ListWatch<T>,
  options: {
    /** Names the objects in logs. */
    readonly what: string;
    readonly log: Log;
    readonly signal: AbortSignal;
    readonly backoff?: Backoff;
  },
): AsyncGenerator<Change<T>, void> {
  const { what, log, signal, backoff = BACKOFF } = options;
  let state: State<T> = { at: 'empty' };
  let retries = 0;
  try {
    while (!signal.aborted) {
      const began = performance.now();
      const { next, ...result }: Step<T> = await step(api, state);
      const wasWatching = state.at === 'watching';
      state = next;
      if (signal.aborted) return;
      if (result.outcome === 'change') yield result.change;
      if (result.outcome === 'failed') report(log, what, result.error);
      if (result.outcome === 'ended' || result.outcome === 'failed') {
        // A step that lasted as long as the longest delay needs no further one.
        if (performance.now() - began > backoff.longestMs) retries = 0;
        if (retries > 0) await pause(delay(backoff, retries - 1, Math.random()), signal);
        retries++;
      } else if (wasWatching) retries = 0;
    }
  } finally {
    if (state.at === 'watching') await state.stream.return();
  }
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, { signal }).catch((cause) => {
    if (!signal.aborted) throw cause;
  });
};

const report = (log: Log, what: string, error: unknown): void => {
  const fields = { err: error, resource: what };
  if (isForbidden(error)) log.error(fields, 'cannot list or watch: a permission is missing (RBAC)');
  else if (isExpired(error)) log.info(fields, 'the version watched from is too old; listing again');
  else log.warn(fields, 'list or watch failed; trying again');
};
