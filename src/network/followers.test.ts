import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { FlowWatch } from '../api/flow-watch.ts';
import { until } from '../host/wait.ts';
import { type FollowerContext, runFollowers } from './followers.ts';

const storeWith = (...objects: readonly unknown[]) => ({
  get: () => objects[0],
  list: () => objects,
  onChange: () => () => {},
});

it('a FlowWatch that was there before this process is looked at, too', async () => {
  const nothing = storeWith();
  const watch: FlowWatch = {
    apiVersion: 'cloister.dev/v1alpha1',
    kind: 'FlowWatch',
    metadata: { namespace: 'a', name: 'w' },
    spec: { pod: 'gone', renewTime: '2026-01-01T00:00:00Z' },
  };
  const removed: unknown[] = [];
  const { stop } = runFollowers({
    microVMs: nothing,
    networks: nothing,
    securityGroups: nothing,
    prefixLists: nothing,
    policies: nothing,
    namespaces: nothing,
    peers: nothing,
    flowWatches: storeWith(watch),
    client: { delete: async (_resource: unknown, key: unknown) => void removed.push(key) },
    log: pino({ level: 'silent' }),
    now: () => new Date(),
  } as unknown as FollowerContext);
  await until(() => removed.length > 0, { limitMs: 2_000, what: 'the watch of no machine to be removed' });
  expect(removed).toEqual([{ namespace: 'a', name: 'w' }]);
  await stop();
});
