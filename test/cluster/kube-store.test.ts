/** Stores against a real API server that is killed, cut off, silenced, or has forgotten. */
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConfigMap,
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  namespaces,
} from '../../src/api/resources.ts';
import { until } from '../../src/host/wait.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { done, runController } from '../../src/kube/controller.ts';
import { type Store, type StoreOptions, watchStore } from '../../src/kube/store.ts';
import { startApiServer, type TestApiServer } from '../support/apiserver.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';

let server: TestApiServer;
/** Reaches the API server directly; the stores under test go through the proxy. */
let direct: KubeClient;
beforeAll(async () => {
  server = await startApiServer();
  direct = new KubeClient(server.config);
}, 90_000);
afterAll(async () => {
  await direct?.close();
  await server?.stop();
});

let proxy: FaultProxy;
let proxied: KubeClient;
let namespace: string;
let stores: Store<ConfigMap>[] = [];
let logged: { level: number; msg: string }[] = [];
let count = 0;
beforeEach(async () => {
  proxy = await startFaultProxy(server.config.server);
  proxied = new KubeClient({ ...server.config, server: proxy.url }, { limitMs: 5_000 });
  namespace = `store-${count++}`;
  await direct.create(namespaces, { metadata: { name: namespace } });
  logged = [];
});
afterEach(async () => {
  for (const store of stores) store.stop();
  stores = [];
  await proxied.close();
  await proxy.close();
});

const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) });

const keep = (options: Partial<StoreOptions<ConfigMap>> = {}, client = proxied): Store<ConfigMap> => {
  const backoff = { firstMs: 50, longestMs: 500 };
  const store = watchStore(client, configMaps, {
    namespace,
    log,
    ...options,
    timing: { backoff, ...options.timing },
  });
  stores.push(store);
  return store;
};

const create = (name: string, data: Record<string, string> = {}): Promise<ConfigMap> =>
  direct.create(configMaps, { metadata: { namespace, name }, data });
const remove = (name: string): Promise<void> => direct.delete(configMaps, { namespace, name });

const namesIn = (store: Store<ConfigMap>): readonly string[] =>
  store
    .list()
    .map(({ metadata }) => metadata.name ?? '')
    .sort();
/** Waits until the store has exactly these objects. No controller runs, so nothing else is in the namespace. */
const toHold = (store: Store<ConfigMap>, ...names: string[]): Promise<unknown> =>
  until(() => namesIn(store).join() === names.join(), {
    limitMs: 30_000,
    what: `the store to hold ${names.join(', ')}`,
  });
const messages = (): readonly string[] => logged.map(({ msg }) => msg);

describe('watchStore', () => {
  it('lists and follows, and tells its listeners', async () => {
    await create('a', { is: 'old' });
    const store = keep();
    const heard: string[] = [];
    store.onChange((key, now, before) => heard.push(`${key} ${before?.data?.is}→${now?.data?.is}`));
    await store.synced;
    expect(store.get(`${namespace}/a`)).toMatchObject({ kind: 'ConfigMap', data: { is: 'old' } });
    await direct.patch(configMaps, { namespace, name: 'a' }, { data: { is: 'new' } }, { type: 'merge' });
    await remove('a');
    await toHold(store);
    const key = `${namespace}/a`;
    expect(heard).toEqual([`${key} undefined→old`, `${key} old→new`, `${key} new→undefined`]);
  });

  it('keeps what the transform leaves, by default everything but managedFields', async () => {
    await create('a', { big: 'x'.repeat(100) });
    const whole = keep();
    const bare = keep({ transform: ({ metadata }) => ({ metadata }) });
    await Promise.all([whole.synced, bare.synced]);
    const created = await direct.get(configMaps, { namespace, name: 'a' });
    expect(created.metadata.managedFields).toBeDefined();
    expect(whole.get(`${namespace}/a`)?.metadata.managedFields).toBeUndefined();
    expect(bare.get(`${namespace}/a`)).not.toHaveProperty('data');
  });

  it('sees an object come to match its selector and leave it', async () => {
    const store = keep({ labelSelector: 'is=mine' });
    await store.synced;
    await create('a');
    const label = (value: string | null) =>
      direct.patch(
        configMaps,
        { namespace, name: 'a' },
        { metadata: { labels: { is: value } } },
        { type: 'merge' },
      );
    await label('mine');
    await toHold(store, 'a');
    await label(null);
    await toHold(store);
  });

  it('shows what its owner wrote, at once', async () => {
    const store = keep();
    await store.synced;
    let object = await create('a', { round: '0' });
    for (let round = 1; round <= 100; round++) {
      object = await direct.replace(configMaps, { ...object, data: { round: String(round) } });
      store.assume(object);
      expect(store.get(`${namespace}/a`)?.data).toEqual({ round: String(round) });
    }
  });

  it('does not die of a listener that throws', async () => {
    const store = keep();
    store.onChange(() => {
      throw new Error('a bug');
    });
    await create('a');
    await toHold(store, 'a');
    expect(messages()).toContain('a listener failed');
  });

  it('goes on when the server ends its watches', async () => {
    const store = keep({ timing: { seconds: 1 } });
    await store.synced;
    const began = performance.now();
    const names: string[] = [];
    while (performance.now() - began < 2_500) {
      names.push(`n${String(names.length).padStart(4, '0')}`);
      await create(names.at(-1) as string);
      await toHold(store, ...names);
    }
    expect(messages()).toEqual([]);
  });

  it('says loudly that it lacks a permission, and works once it has it', async () => {
    const { server: url, ca } = server.config;
    const user = new KubeClient({ server: url, ...(ca && { ca }), token: server.userToken });
    try {
      const store = keep({}, user);
      await until(() => logged.length > 0, { limitMs: 10_000, what: 'a complaint' });
      expect(logged[0]).toMatchObject({
        level: 50,
        msg: 'cannot list or watch: a permission is missing (RBAC)',
      });
      const metadata = { name: 'read-configmaps' };
      await direct.create(clusterRoles, {
        metadata,
        rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'watch'] }],
      });
      await direct.create(clusterRoleBindings, {
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', ...metadata },
        subjects: [{ kind: 'User', name: server.user }],
      });
      await store.synced;
    } finally {
      await user.close();
    }
  });

  it('rejects those who wait for a store that is stopped', async () => {
    proxy.cut();
    const store = keep();
    store.stop();
    await expect(store.synced).rejects.toThrow('stopped before its first list was complete');
  });
});

describe('a store survives', () => {
  it('connections that are cut: it goes on where it was, and sees what was deleted meanwhile', async () => {
    await create('a');
    await create('b');
    const store = keep();
    await toHold(store, 'a', 'b');
    proxy.cut();
    await remove('a');
    await create('c');
    await until(() => logged.length >= 3, { limitMs: 10_000, what: 'a few attempts in vain' });
    expect(namesIn(store)).toEqual(['a', 'b']);
    proxy.heal();
    await toHold(store, 'b', 'c');
    expect(new Set(messages())).toEqual(new Set(['list or watch failed; trying again']));
  });

  it('connections that stay open and carry nothing: silence ends them', async () => {
    await create('a');
    const impatient = new KubeClient({ ...server.config, server: proxy.url }, { limitMs: 1_000 });
    const store = keep({ timing: { idleMs: 600 } }, impatient);
    await toHold(store, 'a');
    proxy.silence();
    await remove('a');
    await create('b');
    await until(() => messages().includes('list or watch failed; trying again'), {
      limitMs: 20_000,
      what: 'the silent watch to be given up and another to fail',
    });
    expect(namesIn(store)).toEqual(['a']);
    proxy.heal();
    await toHold(store, 'b');
    await impatient.close();
  }, 30_000);

  it('quiet times: a silent watch is opened anew without a word', async () => {
    const store = keep({ timing: { idleMs: 200 } });
    await store.synced;
    const listed = proxy.accepted;
    await until(() => proxy.accepted >= listed + 3, { limitMs: 10_000, what: 'three more connections' });
    await create('a');
    await toHold(store, 'a');
    expect(messages()).toEqual([]);
  });

  it('an API server that is killed and started again', async () => {
    await create('a');
    const store = keep();
    await toHold(store, 'a');
    await server.crash();
    await until(() => logged.length >= 2, { limitMs: 10_000, what: 'a few attempts in vain' });
    await server.restart();
    await create('b');
    await toHold(store, 'a', 'b');
    await remove('a');
    await toHold(store, 'b');
  }, 90_000);

  it('an outage so long that its version is forgotten (410): deletions that no watch told of are seen', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const store = keep();
    await toHold(store, 'a', 'b', 'c');
    const deleted: string[] = [];
    store.onChange((key, now) => {
      if (now === undefined) deleted.push(key);
    });
    proxy.cut();
    await remove('a');
    await create('d');
    await forgetHistory();
    proxy.heal();
    await toHold(store, 'b', 'c', 'd');
    expect(deleted).toEqual([`${namespace}/a`]);
    expect(messages()).toContain('the version watched from is too old; listing again');
  }, 90_000);

  /** Has etcd drop all but its present state, and the API server with its memory of changes restarted. */
  const forgetHistory = async (): Promise<void> => {
    const call = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
      const answer = await fetch(`${server.etcd}/v3/kv/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      expect(answer.status).toBe(200);
      return (await answer.json()) as { header: { revision: string } };
    };
    const key = Buffer.from('none').toString('base64');
    const { revision } = (await call('range', { key })).header;
    await call('compaction', { revision, physical: true });
    await server.crash();
    await server.restart();
  };
});

describe('store and controller together', () => {
  it('bring objects to their wanted state, through cut connections', async () => {
    const total = 300;
    const store = keep();
    let written = 0;
    /** Copies `data.wanted` to `data.is`; now and then all connections break after it. */
    const reconcile = async (key: string) => {
      const object = store.get(key);
      if (object?.data?.wanted === undefined || object.data.is === object.data.wanted) return done;
      const wanted = { ...object, data: { ...object.data, is: object.data.wanted } };
      store.assume(await proxied.replace(configMaps, wanted));
      if (++written % 20 === 0) {
        proxy.cut();
        proxy.heal();
      }
      return done;
    };
    const controller = runController({ name: 'copy', workers: 8, reconcile, log });
    store.onChange((key) => controller.enqueue(key));
    try {
      const names = Array.from({ length: total }, (_, n) => `o${n}`);
      await inParallel(16, names, async (name) => void (await create(name, { wanted: name })));
      const isDone = async (): Promise<boolean> => {
        const objects = await direct.list(configMaps, { namespace });
        return objects.length === total && objects.every(({ data }) => data?.is === data?.wanted);
      };
      await until(isDone, { limitMs: 60_000, everyMs: 250, what: 'all objects to be as wanted' });
    } finally {
      await controller.stop();
    }
  }, 90_000);
});

describe('a large list', () => {
  /**
   * Follows how long this process computes before other things have their turn, in milliseconds: computes, since what
   * else the machine does is none of its doing. Gives the way to end, which tells the longest.
   */
  const longestTurn = (): (() => number) => {
    let longest = 0;
    let last = process.cpuUsage();
    const turn = setInterval(() => {
      const { user, system } = process.cpuUsage(last);
      longest = Math.max(longest, (user + system) / 1000);
      last = process.cpuUsage();
    }, 5);
    return () => {
      clearInterval(turn);
      return longest;
    };
  };

  it('of 5,000 objects is read without holding up the event loop', async () => {
    const total = 5_000;
    const data = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`field-${n}`, 'value '.repeat(8)]));
    const names = Array.from({ length: total }, (_, n) => `large-${n}`);
    await inParallel(32, names, async (name) => void (await create(name, data)));

    const endTurns = longestTurn();
    const began = performance.now();
    const store = keep({}, direct);
    let heard = 0;
    store.onChange(() => heard++);
    await store.synced;
    const tookMs = performance.now() - began;
    const longestMs = endTurns();

    expect(store.list()).toHaveLength(total);
    expect(heard).toBe(total);
    console.info(
      `5,000 objects of ${Math.round(JSON.stringify(data).length / 1024)} KiB in ${Math.round(tookMs)} ms, ` +
        `event loop held up ${Math.round(longestMs)} ms at most`,
    );
    expect(longestMs).toBeLessThan(500); // on a fast machine 25 to 50 ms
  }, 120_000);
});

const inParallel = async <T>(
  workers: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> => {
  const queue = [...items];
  const run = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, run));
};
