/** A host that restarts in mid-flight: every process and namespace is gone, the state folder is left. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clusterNamespaces, endCluster } from '../../src/cluster/stop.ts';
import type { Pod } from '../../src/core/pod.ts';
import { removeNamespace } from '../../src/host/namespace.ts';
import { until } from '../../src/host/wait.ts';
import { apply, read } from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  workload,
} from '../support/machines.ts';
import { clusterOfRun, componentsFolder } from '../support/run.ts';
import { tool } from '../support/tool.ts';

const NS = 'chaos-reboot';
const { name: cluster } = clusterOfRun();

const deployment = workload('Deployment', NS, 'survivor', {
  containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', 'infinity'] }],
});

const survivors = async (): Promise<readonly Pod[]> =>
  (await read<{ items: Pod[] }>('pods', '-n', NS, '-l', 'app=survivor')).items;

/** Ends every process of the cluster, and takes its namespaces, as a restart of the host does. */
const reboot = async (): Promise<void> => {
  await endCluster(cluster);
  for (const namespace of clusterNamespaces(cluster)) await removeNamespace(namespace);
};

beforeAll(async () => {
  await apply(...fargateNamespace(NS));
  await readyNamespace(NS);
  await apply(deployment);
}, 60_000);

afterAll(() => removeFargateNamespace(NS), 300_000);

it('recovers by ./tool up: the pod has failed with the true reason, and its Deployment has another', async () => {
  const name = await until(async () => (await survivors())[0]?.metadata.name, {
    limitMs: 30_000,
    everyMs: 300,
    what: 'a pod of the Deployment',
  });
  const before = await readyPod(NS, name);
  await reboot();
  await tool('up', '--name', cluster, '--no-demo', '--components', componentsFolder());
  const fresh = await until(
    async () => (await survivors()).find(({ metadata }) => metadata.uid !== before.metadata.uid),
    { limitMs: 120_000, everyMs: 500, what: 'the Deployment to make another pod' },
  );
  await readyPod(NS, fresh.metadata.name ?? '');
  const old = (await survivors()).find(({ metadata }) => metadata.uid === before.metadata.uid);
  expect(old?.status).toMatchObject({ phase: 'Failed', reason: 'MachineFailed' });
}, 900_000);
