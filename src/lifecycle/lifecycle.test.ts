import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Node } from '../api/resources.ts';
import { type Observation, ProviderError, type Seed } from '../compute/provider.ts';
import type { LifeStatus } from '../core/machine/life.ts';
import type { Machine } from '../core/machine/machine.ts';
import { microVMOf } from '../core/machine/microvm.ts';
import { nodeOf } from '../core/machine/node.ts';
import type { Pod } from '../core/pod.ts';
import { until } from '../host/wait.ts';
import { ApiError } from '../kube/client.ts';
import type { Listener } from '../kube/listeners.ts';
import type { KubeObject } from '../kube/object.ts';
import { keyOf } from '../kube/object.ts';
import type { Store } from '../kube/store.ts';
import type { Context } from './context.ts';
import { runLifecycle } from './lifecycle.ts';

/** A store that shows what the test puts into it. */
const storeOf = <T extends KubeObject>() => {
  const objects = new Map<string, T>();
  const listeners = new Set<Listener<T>>();
  const tell = (key: string, now: T | undefined): void => {
    const before = objects.get(key);
    if (now === undefined) objects.delete(key);
    else objects.set(key, now);
    for (const listener of listeners) listener(key, now, before);
  };
  const store = {
    get: (key: string) => objects.get(key),
    list: () => [...objects.values()],
    onChange: (listener: Listener<T>) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    assume: () => {},
  } as unknown as Store<T>;
  return {
    store,
    put: (object: T) => tell(keyOf(object), object),
    drop: (key: string) => tell(key, undefined),
  };
};

const UID = '00000000-0000-4000-8000-000000000001';
const machine: Machine = {
  name: `vm-${UID}`,
  pod: { namespace: 'a', name: 'p', uid: UID },
  profile: 'a',
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet: 'a', zone: 'z', region: 'r', address: '10.0.0.7' },
  securityGroups: [],
  image: 'i',
};
const bound = {
  metadata: { namespace: 'a', name: 'p', uid: UID },
  spec: { nodeName: 'fargate-ip-10-0-0-7.r.compute.internal', containers: [] },
  status: { phase: 'Running' },
} as unknown as Pod;

/** One machine whose kubelet has joined, and what the lifecycle does with it. Nothing outside is real. */
const bench = () => {
  const clock = { at: Date.parse('2026-01-01T00:00:00Z') };
  const [microVMs, pods, nodes] = [storeOf<MicroVM>(), storeOf<Pod>(), storeOf<Node>()];
  const host = {
    seen: { state: 'running', seeded: true, startedAt: new Date(clock.at) } as Observation,
    fed: [] as Seed[],
    removed: [] as string[],
    started: [] as number[],
    looks: 0,
    feed: async (_machine: Machine, seed: Seed): Promise<void> => void host.fed.push(seed),
    cap: async (): Promise<void> => {},
  };
  const began = new Date(clock.at).toISOString();
  const { metadata, ...started } = microVMOf(machine);
  microVMs.put({
    ...started,
    metadata: { ...metadata, uid: 'u', creationTimestamp: began },
    status: { stages: { Running: began } },
  });
  const node = nodeOf(machine, 'test', began) as Node;
  nodes.put({ ...node, status: { ...node.status, nodeInfo: { bootID: 'b' } } } as Node);
  pods.put(bound);
  /** Messages of conditions that were written. */
  const told: string[] = [];
  const deleted: string[] = [];
  let changed = (): void => {};
  /** Phases that were written. */
  const written: string[] = [];
  const answer = { metadata: { name: 'csr' }, status: { token: 't', certificate: btoa('CERTIFICATE') } };
  const context = {
    client: {
      create: async () => answer,
      patch: async (_resource: unknown, _key: unknown, { status }: { status?: LifeStatus }) => {
        if (status?.phase !== undefined) written.push(status.phase);
        told.push(...(status?.conditions ?? []).map(({ message }) => message));
        return answer;
      },
      get: async ({ kind }: { kind: string }) => {
        if (kind === 'MicroVM') throw new ApiError('none', { status: 404, reason: 'NotFound' });
        return answer;
      },
      delete: async (_resource: unknown, { name }: { name: string }) => void deleted.push(name),
    },
    provider: {
      inspect: async () => {
        host.looks += 1;
        await nextTurn();
        return host.seen;
      },
      feed: (one: Machine, seed: Seed) => host.feed(one, seed),
      cap: () => host.cap(),
      ensure: async () => {
        host.started.push(performance.now());
        host.seen = { state: 'dead', reason: 'it ended' };
        changed();
      },
      remove: async (name: string) => {
        host.removed.push(name);
        host.seen = { state: 'absent' };
        changed();
      },
      watch: (tell: (name: string) => void) => {
        changed = () => tell(machine.name);
        return () => {};
      },
    },
    microVMs: microVMs.store,
    pods: pods.store,
    nodes: nodes.store,
    profiles: { get: () => undefined },
    events: { event: async () => {} },
    log: pino({ level: 'silent' }),
    now: () => new Date(clock.at),
    joinLimitMs: 60_000,
  } as unknown as Context;
  return { clock, microVMs, pods, nodes, host, written, told, deleted, context };
};

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const live = (context: Context): void => void stops.push(runLifecycle(context).stop);

const HOUR_MS = 3_600_000;

describe('a node whose pod takes its time to end', () => {
  it('has its credentials renewed all the while', async () => {
    const { clock, pods, host, context } = bench();
    const leaving = { ...bound, metadata: { ...bound.metadata, deletionTimestamp: 'now' } } as Pod;
    pods.put(leaving);
    live(context);
    await until(
      () => {
        clock.at += HOUR_MS;
        pods.put(leaving);
        return host.fed.length > 2;
      },
      { limitMs: 5_000, what: 'credentials to be renewed' },
    );
  });
});

describe('a guest that takes nothing', () => {
  const never = (): Promise<void> => new Promise(() => {});

  it('keeps nobody waiting for its renewal: its machine can be taken away', async () => {
    const { clock, pods, host, context } = bench();
    let asked = false;
    host.feed = () => {
      asked = true;
      return never();
    };
    live(context);
    await until(
      () => {
        clock.at += HOUR_MS;
        pods.put(bound);
        return asked;
      },
      { limitMs: 5_000, what: 'a renewal to begin' },
    );
    pods.drop('a/p');
    await until(() => host.removed.includes(machine.name), { limitMs: 5_000, what: 'the machine to go' });
  });

  it('keeps nobody waiting for its limit: it counts as running when it has it', async () => {
    const { microVMs, pods, host, written, context } = bench();
    const { status: _, ...started } = microVMs.store.get(machine.name) as MicroVM;
    microVMs.put(started);
    let [asked, taken] = [false, (): void => {}];
    host.cap = () =>
      new Promise((resolve) => {
        [asked, taken] = [true, resolve];
      });
    live(context);
    await until(() => asked, { limitMs: 5_000, what: 'the limit to be on its way' });
    pods.put(bound);
    expect(written).toEqual([]);
    taken();
    await until(() => written.includes('Running'), { limitMs: 5_000, what: 'the stage Running' });
    pods.drop('a/p');
    await until(() => host.removed.includes(machine.name), { limitMs: 5_000, what: 'the machine to go' });
  });

  it('that is to have a limit can be taken away all the same', async () => {
    const { microVMs, pods, host, context } = bench();
    const { status: _, ...started } = microVMs.store.get(machine.name) as MicroVM;
    microVMs.put(started);
    let asked = false;
    host.cap = () => {
      asked = true;
      return never();
    };
    live(context);
    await until(() => asked, { limitMs: 5_000, what: 'the limit to be on its way' });
    pods.drop('a/p');
    await until(() => host.removed.includes(machine.name), { limitMs: 5_000, what: 'the machine to go' });
  });
});

describe('a machine that dies whenever it starts', () => {
  it('is started again less and less often', async () => {
    const { microVMs, nodes, host, context } = bench();
    const { status: _, ...fresh } = microVMs.store.get(machine.name) as MicroVM;
    microVMs.put(fresh);
    nodes.put(nodeOf(machine, 'test', 'now') as Node);
    host.seen = { state: 'absent' };
    live(context);
    await until(() => host.started.length > 2, { limitMs: 10_000, what: 'the third start' });
    const [first = 0, second = 0, third = 0] = host.started;
    expect(second - first).toBeGreaterThan(900);
    expect(third - second).toBeGreaterThan(1_900);
  }, 15_000);
});

describe('a machine whose MicroVM was forced away', () => {
  it('goes all the same, and its Node with it', async () => {
    const { microVMs, host, deleted, context } = bench();
    live(context);
    await until(() => host.looks > 0, { limitMs: 5_000, what: 'the machine to be looked at' });
    microVMs.drop(machine.name);
    await until(() => host.removed.includes(machine.name), { limitMs: 5_000, what: 'the machine to go' });
    await until(() => deleted.includes('fargate-ip-10-0-0-7.r.compute.internal'), {
      limitMs: 5_000,
      what: 'the Node to go',
    });
  });

  it('stays while the API server says that it is there', async () => {
    const { microVMs, host, context } = bench();
    live(context);
    await until(() => host.looks > 0, { limitMs: 5_000, what: 'the machine to be looked at' });
    context.client.get = async () => ({ metadata: { name: machine.name } }) as never;
    microVMs.drop(machine.name);
    await nextTurn();
    expect(host.removed).toEqual([]);
  });
});

describe('a pod whose MicroVM is deleted', () => {
  it('is deleted although nobody can be told of it', async () => {
    const { microVMs, deleted, context } = bench();
    context.events.event = async () => {
      throw new ApiError('quota exceeded', { status: 403, reason: 'Forbidden' });
    };
    const vm = microVMs.store.get(machine.name) as MicroVM;
    microVMs.put({ ...vm, metadata: { ...vm.metadata, deletionTimestamp: 'now' } });
    live(context);
    await until(() => deleted.includes('p'), { limitMs: 3_000, what: 'the pod to be deleted' });
  });
});

describe('a machine for which the host has no memory at the moment', () => {
  it('says so, and waits', async () => {
    const { clock, microVMs, nodes, pods, host, told, context } = bench();
    const { status: _, ...fresh } = microVMs.store.get(machine.name) as MicroVM;
    microVMs.put(fresh);
    nodes.put(nodeOf(machine, 'test', 'now') as Node);
    pods.put({ ...bound, spec: { containers: [] } });
    host.seen = { state: 'absent' };
    context.provider.ensure = async () => {
      throw new ProviderError('out-of-capacity', 'this host has no 900 MiB of memory left');
    };
    clock.at += 60_000;
    live(context);
    await until(() => told.includes('this host has no 900 MiB of memory left'), {
      limitMs: 3_000,
      what: 'the reason in the status',
    });
  });
});

describe('a machine whose guest image this host has no more', () => {
  /** Not started yet, before a new image came. */
  const late = (pod: Pod) => {
    const all = bench();
    const { status: _, ...fresh } = all.microVMs.store.get(machine.name) as MicroVM;
    all.microVMs.put(fresh);
    all.nodes.put(nodeOf(machine, 'test', 'now') as Node);
    all.pods.put(pod);
    all.host.seen = { state: 'absent' };
    all.context.provider.ensure = async () => {
      throw new ProviderError('bad-image', 'the guest image i is not here');
    };
    live(all.context);
    return all;
  };

  it('goes, so that its pod is placed anew with the new one', async () => {
    const { deleted } = late({ ...bound, spec: { containers: [] } });
    await until(() => deleted.includes(machine.name), { limitMs: 3_000, what: 'the MicroVM to go' });
  });

  it('fails its pod when that is bound and cannot be', async () => {
    const { written } = late(bound);
    await until(() => written.includes('Failed'), { limitMs: 3_000, what: 'the pod to fail' });
  });
});

describe('a pod that was released', () => {
  it('is asked to go once, however long a finalizer of others holds it', async () => {
    const { pods, host, deleted, context } = bench();
    host.seen = { state: 'dead', reason: 'it ended' };
    const leaving = { ...bound.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 30 };
    pods.put({ ...bound, metadata: leaving } as Pod);
    live(context);
    await until(() => deleted.length > 0, { limitMs: 3_000, what: 'the pod to be released' });
    const released = { ...bound, metadata: { ...leaving, deletionGracePeriodSeconds: 0 } } as Pod;
    const looks = host.looks;
    await until(
      () => {
        pods.put(released);
        return host.looks > looks + 2;
      },
      { limitMs: 5_000, what: 'further looks' },
    );
    expect(deleted).toEqual(['p']);
  });
});
