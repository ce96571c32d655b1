import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Node } from '../api/resources.ts';
import type { Observation, Seed } from '../compute/provider.ts';
import type { Machine } from '../core/machine/machine.ts';
import { microVMOf } from '../core/machine/microvm.ts';
import { nodeOf } from '../core/machine/node.ts';
import type { Pod } from '../core/pod.ts';
import { until } from '../host/wait.ts';
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
    feed: async (_machine: Machine, seed: Seed): Promise<void> => void host.fed.push(seed),
    cap: async (): Promise<void> => {},
  };
  const started = microVMOf(machine) as unknown as MicroVM;
  microVMs.put({ ...started, status: { stages: { Running: new Date(clock.at).toISOString() } } } as MicroVM);
  const node = nodeOf(machine, 'test', new Date(clock.at).toISOString()) as Node;
  nodes.put({ ...node, status: { ...node.status, nodeInfo: { bootID: 'b' } } } as Node);
  pods.put(bound);
  const answer = { metadata: { name: 'csr' }, status: { token: 't', certificate: btoa('CERTIFICATE') } };
  const context = {
    client: {
      create: async () => answer,
      patch: async () => answer,
      get: async () => answer,
      delete: async () => {},
    },
    provider: {
      inspect: async () => host.seen,
      feed: (one: Machine, seed: Seed) => host.feed(one, seed),
      cap: () => host.cap(),
      remove: async (name: string) => void host.removed.push(name),
      watch: () => () => {},
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
  return { clock, microVMs, pods, nodes, host, context };
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
