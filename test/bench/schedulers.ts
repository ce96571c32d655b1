/**
 * Our scheduler and the default one, one after the other on the same API server: how many waiting pods each
 * brings to nodes in a second. Nodes are objects only; nothing runs on them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { pino } from 'pino';
import { microVMs, type Node, namespaces, nodes, pods, type Resource } from '../../src/api/resources.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import type { KubeClient, KubeObject } from '../../src/kube/client.ts';
import { type Store, watchStore } from '../../src/kube/store.ts';
import { end, launch, type Program } from '../support/apiserver.ts';
import { ensureFargate, startProduct, type TestProduct } from '../support/product.ts';
import { component } from '../support/run.ts';

/** Pods per second, from the first that came to its goal until the last. */
export interface SchedulerRates {
  readonly pods: number;
  readonly nodes: number;
  /**
   * Ours: the scheduler alone makes the MicroVM, with address and size; then the lifecycle, whose machines start
   * at once and go on with certificates and tokens, makes the Node and binds the pod to it.
   */
  readonly cloister: { readonly placedPerSecond: number; readonly boundPerSecond: number };
  /** The default one, with its limits on requests lifted: the pod is bound to one of the fake nodes. */
  readonly kubeScheduler: { readonly boundPerSecond: number };
}

const OURS = 'bench-fargate';
const THEIRS = 'bench-default';
const LIMIT_MS = 240_000;
const log = pino({ level: 'silent' });

const inBatches = async (count: number, make: (n: number) => Promise<unknown>): Promise<void> => {
  for (let n = 0; n < count; n += 50)
    await Promise.all(Array.from({ length: Math.min(50, count - n) }, (_, i) => make(n + i)));
};

const node = (n: number): Node => ({
  metadata: { name: `fake-${n}`, labels: { 'kubernetes.io/hostname': `fake-${n}` } },
  status: {
    capacity: { cpu: '32', memory: '256Gi', pods: '110' },
    allocatable: { cpu: '32', memory: '256Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'Fake', message: '' }],
  },
});

const pod = (namespace: string, n: number): Pod => ({
  metadata: {
    namespace,
    name: `p${n}`,
    ...(namespace === OURS ? { labels: { 'eks.amazonaws.com/fargate-profile': OURS } } : {}),
  },
  spec: {
    schedulerName: namespace === OURS ? 'fargate-scheduler' : 'default-scheduler',
    // Admission taints every new node as not ready, and no controller of this test takes the taint away.
    tolerations: [{ operator: 'Exists' }],
    containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '250m', memory: '256Mi' } } }],
  },
});

/** Counts objects as they come to be as wished, and when. */
const stopwatch = <T extends KubeObject>(store: Store<T>, reached: (object: T) => boolean) => {
  const times = new Map<string, number>();
  const stop = store.onChange((key, now) => {
    if (now !== undefined && reached(now) && !times.has(key)) times.set(key, performance.now());
  });
  return {
    /** Waits for so many, and gives their number per second. */
    rate: async (count: number, what: string): Promise<number> => {
      await until(() => times.size >= count, { limitMs: LIMIT_MS, what: `${count} ${what}`, everyMs: 100 });
      stop();
      const all = [...times.values()].toSorted((a, b) => a - b);
      return Math.round(((all.length - 1) * 1000) / ((all.at(-1) ?? 0) - (all[0] ?? 0)));
    },
  };
};

const watching = async <T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  namespace?: string,
): Promise<Store<T>> => {
  const store = watchStore(client, resource, { ...(namespace && { namespace }), log });
  await store.synced;
  return store;
};

/** Waits for a result, and ends the program whatever comes of it. */
const ending = async <T>(program: Program, result: Promise<T>): Promise<T> => {
  try {
    return await result;
  } finally {
    await end(program);
  }
};

const SCHEDULER = join(import.meta.dirname, 'scheduler-alone.ts');

/** Our scheduler alone, then the whole controller over the machines that it made. */
const ours = async (product: TestProduct, count: number): Promise<SchedulerRates['cloister']> => {
  const { client, kubeconfig } = product;
  await ensureFargate(client, OURS);
  await product.kill();
  await inBatches(count, (n) => client.create(pods, pod(OURS, n)));
  const machines = await watching(client, microVMs);
  const placed = stopwatch(machines, () => true);
  const folder = join(kubeconfig, '..');
  const args = ['--import', 'tsx', SCHEDULER, join(folder, 'controller.conf'), join(folder, 'unused')];
  const scheduler = await launch(process.execPath, folder, args);
  const placedPerSecond = await ending(scheduler, placed.rate(count, 'machines'));
  const ownPods = await watching(client, pods, OURS);
  const bound = stopwatch(ownPods, ({ spec }) => (spec.nodeName ?? '') !== '');
  await product.start();
  const boundPerSecond = await bound.rate(count, 'pods of ours on nodes');
  for (const store of [machines, ownPods]) store.stop();
  await product.kill();
  return { placedPerSecond, boundPerSecond };
};

const theirs = async (
  { client, kubeconfig }: TestProduct,
  count: number,
  nodeCount: number,
): Promise<SchedulerRates['kubeScheduler']> => {
  await client.create(namespaces, { metadata: { name: THEIRS } });
  await inBatches(nodeCount, (n) => client.create(nodes, node(n)));
  await until(() => client.create(pods, pod(THEIRS, 0)), {
    limitMs: 30_000,
    what: 'the namespace to take pods',
  });
  await inBatches(count - 1, (n) => client.create(pods, pod(THEIRS, n + 1)));
  const store = await watching(client, pods, THEIRS);
  const bound = stopwatch(store, ({ spec }) => (spec.nodeName ?? '') !== '');
  const folder = join(kubeconfig, '..');
  const settings = join(folder, 'scheduler.yaml');
  writeFileSync(
    settings,
    dump({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      clientConnection: { kubeconfig, qps: 5000, burst: 10_000 },
      leaderElection: { leaderElect: false },
    }),
  );
  const program = component('kube-scheduler');
  const scheduler = await launch(program, folder, [`--config=${settings}`, '--secure-port=0']);
  const boundPerSecond = await ending(scheduler, bound.rate(count, 'pods of the default scheduler on nodes'));
  store.stop();
  return { boundPerSecond };
};

/** Measures both with the same number of pods. */
export const schedulerRates = async (count: number, nodeCount: number): Promise<SchedulerRates> => {
  const product = await startProduct({ kubelets: false });
  try {
    const kubeScheduler = await theirs(product, count, nodeCount);
    return { pods: count, nodes: nodeCount, cloister: await ours(product, count), kubeScheduler };
  } finally {
    await product.stop();
  }
};
