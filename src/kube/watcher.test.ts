import pino from 'pino';
import { describe, expect, it } from 'vitest';
import type { Page, WatchEvent } from './client.ts';
import { ApiError, ConnectionError } from './errors.ts';
import type { KubeObject } from './object.ts';
import { type Change, type ListWatch, type State, step, type WatchStream, watcher } from './watcher.ts';

const object = (name: string, resourceVersion: string): KubeObject => ({
  metadata: { name, resourceVersion },
});
const page = (names: string[], resourceVersion: string, continueToken?: string): Page<KubeObject> => ({
  objects: names.map((name) => object(name, '1')),
  resourceVersion,
  ...(continueToken === undefined ? {} : { continueToken }),
});
const gone = new ApiError('too old', { status: 410, reason: 'Expired' });
const strange = new ApiError('what is that', { status: 400, reason: 'BadRequest' });
const refused = new ConnectionError('broken', 'refused');

/** A stream of events that ends, or throws what comes last. */
async function* stream(...events: (WatchEvent<KubeObject> | Error)[]): WatchStream<KubeObject> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

/** Answers requests from a script, in order. */
const scripted = (
  script: (Page<KubeObject> | WatchStream<KubeObject> | Error)[],
): ListWatch<KubeObject> & { asked: (string | undefined)[] } => {
  const asked: (string | undefined)[] = [];
  const answer = async (argument: string | undefined): Promise<never> => {
    asked.push(argument);
    const next = script.shift();
    if (next instanceof Error) throw next;
    return next as never;
  };
  return { asked, page: answer, open: answer };
};

const watching = (...events: (WatchEvent<KubeObject> | Error)[]): State<KubeObject> => ({
  at: 'watching',
  resourceVersion: '7',
  stream: stream(...events),
});

describe('step', () => {
  it.each<[string, State<KubeObject>, Page<KubeObject>, object, object]>([
    [
      'the only page of a list',
      { at: 'empty' },
      page(['a'], '7'),
      { type: 'page', first: true, last: true, objects: [object('a', '1')], resourceVersion: '7' },
      { at: 'listed', resourceVersion: '7' },
    ],
    [
      'the first page of several',
      { at: 'empty' },
      page(['a'], '7', 'more'),
      { type: 'page', first: true, last: false },
      { at: 'listing', continueToken: 'more' },
    ],
    [
      'a page in the middle',
      { at: 'listing', continueToken: 'x' },
      page(['b'], '7', 'y'),
      { type: 'page', first: false, last: false },
      { at: 'listing', continueToken: 'y' },
    ],
    [
      'the last page',
      { at: 'listing', continueToken: 'y' },
      page(['c'], '7'),
      { type: 'page', first: false, last: true, resourceVersion: '7' },
      { at: 'listed', resourceVersion: '7' },
    ],
  ])('reads %s', async (_, state, answer, change, next) => {
    expect(await step(scripted([answer]), state)).toMatchObject({ outcome: 'change', change, next });
  });

  it('opens a watch from where the list was', async () => {
    const api = scripted([stream()]);
    const result = await step(api, { at: 'listed', resourceVersion: '7' });
    expect(api.asked).toEqual(['7']);
    expect(result).toMatchObject({ outcome: 'progress', next: { at: 'watching', resourceVersion: '7' } });
  });

  it.each<[WatchEvent<KubeObject>['type'], object]>([
    ['ADDED', { outcome: 'change', change: { type: 'applied', object: object('a', '9') } }],
    ['MODIFIED', { outcome: 'change', change: { type: 'applied' } }],
    ['DELETED', { outcome: 'change', change: { type: 'deleted' } }],
    ['BOOKMARK', { outcome: 'progress' }],
  ])('goes on from the version of a %s event', async (type, expected) => {
    const event = { type, object: object('a', '9') } as WatchEvent<KubeObject>;
    const result = await step(scripted([]), watching(event));
    expect(result).toMatchObject({ ...expected, next: { at: 'watching', resourceVersion: '9' } });
  });

  const expiredEvent: WatchEvent<KubeObject> = {
    type: 'ERROR',
    object: { code: 410, reason: 'Expired', message: 'too old' },
  };
  it.each<[string, State<KubeObject>, Error]>([
    ['a continuation', { at: 'listing', continueToken: 'x' }, gone],
    ['a version to watch from', { at: 'listed', resourceVersion: '7' }, gone],
    ['a version, told by an event', watching(expiredEvent), gone],
    ['a continuation that another one gave', { at: 'listing', continueToken: 'x' }, strange],
    ['a version that another one gave', { at: 'listed', resourceVersion: '7' }, strange],
  ])('starts over when the server no longer knows %s', async (_, state, error) => {
    expect(await step(scripted([error]), state)).toMatchObject({ outcome: 'failed', next: { at: 'empty' } });
  });

  it.each<[string, State<KubeObject>, object]>([
    ['a first page', { at: 'empty' }, { at: 'empty' }],
    ['a further page', { at: 'listing', continueToken: 'x' }, { at: 'listing', continueToken: 'x' }],
    ['opening a watch', { at: 'listed', resourceVersion: '7' }, { at: 'listed', resourceVersion: '7' }],
    ['a watch', watching(refused), { at: 'listed', resourceVersion: '7' }],
  ])('keeps what it knows when %s fails', async (_, state, next) => {
    expect(await step(scripted([refused]), state)).toMatchObject({ outcome: 'failed', error: refused, next });
  });

  it.each<[string, State<KubeObject>]>([
    ['ends', watching()],
    ['goes silent', watching(new ConnectionError('silent', 'nothing'))],
  ])('takes it as ordinary that a watch %s', async (_, state) => {
    const next = { at: 'listed', resourceVersion: '7' };
    expect(await step(scripted([]), state)).toEqual({ outcome: 'ended', next });
  });
});

describe('watcher', () => {
  const run = async (api: ListWatch<KubeObject>, count: number, log = pino({ enabled: false })) => {
    const abort = new AbortController();
    const backoff = { firstMs: 40, longestMs: 80 };
    const changes: Change<KubeObject>[] = [];
    for await (const change of watcher(api, { what: 'things', log, signal: abort.signal, backoff })) {
      changes.push(change);
      if (changes.length === count) abort.abort();
    }
    return changes;
  };

  it('lists, watches, survives failures and lists again when it must', async () => {
    const added: WatchEvent<KubeObject> = { type: 'ADDED', object: object('c', '8') };
    const api = scripted([
      page(['a'], '7', 'more'),
      refused,
      page(['b'], '7'),
      stream(added),
      stream(refused),
      gone,
      page(['c'], '9'),
    ]);
    const changes = await run(api, 4);
    expect(api.asked).toEqual([undefined, 'more', 'more', '7', '8', '8', undefined]);
    expect(changes.map(({ type }) => type)).toEqual(['page', 'page', 'applied', 'page']);
  });

  it('retries at once, then later and later, until a watch brings an event', async () => {
    const began = performance.now();
    await run(scripted([page([], '7'), stream(), stream(), stream(), gone, page([], '9')]), 2);
    // Retries after 0, 20 to 40, 40 to 80 and 40 to 80 ms.
    expect(performance.now() - began).toBeGreaterThanOrEqual(95);
  });

  it('reports a missing permission louder than other failures', async () => {
    const levels: number[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => levels.push(JSON.parse(line).level) });
    const forbidden = new ApiError('no', { status: 403, reason: 'Forbidden' });
    await run(scripted([forbidden, refused, gone, page([], '7')]), 1, log);
    expect(levels).toEqual([50, 40, 30]);
  });
});
