/**
 * How long a pod takes to start cold, beside a baseline in the same run: the same guest image booted by hand
 * with everything prepared beforehand (Node, binding, certificates, directory, namespace), so that nothing of
 * the product is on the path. Product and baseline alternate, so that a noisy host is noisy for both.
 */
import { fargateProfiles, microVMs, namespaces, nodes, pods } from '../api/resources.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { places, REGION, REGISTRY, SUBNETS } from '../cluster/plan.ts';
import { machineDirectory } from '../compute/local/directory.ts';
import { launch } from '../compute/local/launch.ts';
import { prepare, type Site } from '../compute/local/prepare.ts';
import type { Provider } from '../compute/provider.ts';
import { type ClusterFacts, seedFiles } from '../compute/render/seed.ts';
import { openFirewall } from '../core/firewall/open.ts';
import { STAGES, type Stage } from '../core/machine/life.ts';
import type { Machine } from '../core/machine/machine.ts';
import { machineName } from '../core/machine/microvm.ts';
import { nodeNameOf, nodeOf } from '../core/machine/node.ts';
import { API_VERSION } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import { median } from '../core/statistics.ts';
import { exec } from '../host/exec.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { until } from '../host/wait.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';
import { credentials } from '../lifecycle/credentials.ts';
import { BUSYBOX_REFERENCE } from './images.ts';
import { untilAccount, untilLive } from './ready.ts';

/** What was measured; times are medians in seconds. */
export interface StartReport {
  readonly runs: number;
  /** From the pod's creation to each stage, as the MicroVM tells. */
  readonly stages: Readonly<Partial<Record<Stage, number>>>;
  /** From the pod's creation to Running. */
  readonly product: number;
  /** From the launch of QEMU to Running, with everything prepared. */
  readonly baseline: number;
  readonly ratio: number;
  /** What kernel, kubelet, kube-proxy and containerd take of a machine, in MiB. */
  readonly overheadMiB: number;
}

/** What the measurement works with. */
export interface Bench {
  readonly cluster: Cluster;
  /** Path of the built kubectl. */
  readonly kubectl: string;
  readonly provider: Provider;
  readonly site: Site;
  readonly facts: ClusterFacts;
}

const PRODUCT = 'bench';
/** No profile matches this namespace: its pods are bound by hand. */
const BASELINE = 'baseline';
const SIZE = { milliCpu: 1000, memoryMiB: 2048, storageGiB: 20 } as const;
const LIMIT_MS = 300_000;

/** Measures `runs` pairs. @throws TimeoutError when a pod does not run */
export const benchStart = async (
  bench: Bench,
  runs: number,
  onProgress: OnProgress,
): Promise<StartReport> => {
  const client = new KubeClient(loadKubeconfig(bench.cluster.kubeconfig));
  try {
    await makeNamespaces(client);
    const product: number[] = [];
    const baseline: number[] = [];
    const overhead: number[] = [];
    const stages: Partial<Record<Stage, number>>[] = [];
    for (let run = 1; run <= runs; run += 1) {
      await step(onProgress, `pair ${run} of ${runs}`, async () => {
        const ours = await startByProduct(`product-${run}`, bench, client);
        product.push(ours.seconds);
        stages.push(ours.stages);
        overhead.push(ours.overheadMiB);
        baseline.push(await startByHand(run, bench, client));
      });
    }
    const [ours, byHand] = [median(product), median(baseline)];
    return {
      runs,
      stages: mediansOf(stages),
      product: ours,
      baseline: byHand,
      ratio: ours / byHand,
      overheadMiB: median(overhead),
    };
  } finally {
    await client.close();
  }
};

const mediansOf = (runs: readonly Partial<Record<Stage, number>>[]): Partial<Record<Stage, number>> => {
  const medians: Partial<Record<Stage, number>> = {};
  for (const stage of STAGES) {
    const times = runs.map((times) => times[stage]).filter((time) => time !== undefined);
    if (times.length > 0) medians[stage] = median(times);
  }
  return medians;
};

const makeNamespaces = async (client: KubeClient): Promise<void> => {
  const apply = { type: 'apply', fieldManager: 'cloister-bench', force: true } as const;
  for (const name of [PRODUCT, BASELINE]) {
    await client.patch(
      namespaces,
      { name },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      apply,
    );
    await untilAccount(client, name);
  }
  const profile = {
    apiVersion: API_VERSION,
    kind: 'FargateProfile',
    metadata: { name: PRODUCT },
    spec: { selectors: [{ namespace: PRODUCT }] },
  };
  await client.patch(fargateProfiles, { name: PRODUCT }, profile, apply);
  await untilLive(client, PRODUCT);
};

const podOf = (namespace: string, name: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: `${REGISTRY}/${BUSYBOX_REFERENCE}`,
        command: ['sleep', '100000'],
        resources: { requests: { cpu: '1', memory: '1792Mi' } },
      },
    ],
    ...spec,
  },
});

const untilRunning = (client: KubeClient, namespace: string, name: string): Promise<Pod> =>
  until(
    async () => {
      const pod = await client.get(pods, { namespace, name });
      return pod.status?.phase === 'Running' ? pod : undefined;
    },
    { limitMs: LIMIT_MS, what: `pod ${namespace}/${name} to run` },
  );

const secondsSince = (start: number): number => (performance.now() - start) / 1000;

const startByProduct = async (
  name: string,
  { kubectl, cluster }: Bench,
  client: KubeClient,
): Promise<{ seconds: number; stages: Partial<Record<Stage, number>>; overheadMiB: number }> => {
  const created = Date.now();
  const started = performance.now();
  const { metadata } = await client.create(pods, podOf(PRODUCT, name));
  await untilRunning(client, PRODUCT, name);
  const seconds = secondsSince(started);
  const machine = machineName(metadata.uid ?? '');
  const times = await until(
    async () => {
      const { status } = await client.get(microVMs, { name: machine });
      return status?.stages?.Running === undefined ? undefined : status.stages;
    },
    { limitMs: 30_000, what: `${machine} to tell its stages` },
  );
  const stages: Partial<Record<Stage, number>> = {};
  for (const stage of STAGES) {
    const time = times[stage];
    if (time !== undefined) stages[stage] = Math.max(0, (Date.parse(time) - created) / 1000);
  }
  const available = await exec(
    kubectl,
    ['exec', '-n', PRODUCT, name, '--', 'awk', '/MemAvailable/ {print $2}', '/proc/meminfo'],
    { env: { KUBECONFIG: cluster.kubeconfig } },
  );
  await client.delete(pods, { namespace: PRODUCT, name });
  await until(async () => (await client.list(microVMs)).length === 0, {
    limitMs: 60_000,
    what: `${machine} to be reclaimed`,
  });
  return { seconds, stages, overheadMiB: SIZE.memoryMiB - Number(available) / 1024 };
};

/** No store: the baseline's Node is asked for, and its pod has no profile. */
const NOTHING = { get: () => undefined };

/** Boots the image by hand: only what stands between `started` and the return is measured. */
const startByHand = async (run: number, bench: Bench, client: KubeClient): Promise<number> => {
  const { provider, site, facts, cluster } = bench;
  const name = `baseline-${run}`;
  const pod = await client.create(pods, podOf(BASELINE, name, { schedulerName: 'by-hand' }));
  const machine = machineByHand(pod, run, site);
  const { server } = loadKubeconfig(cluster.kubeconfig);
  const product = new KubeClient({ ...loadKubeconfig(places(cluster.state).productKubeconfig), server });
  try {
    await product.create(nodes, nodeOf(machine, cluster.name, new Date().toISOString()));
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeNameOf(machine) };
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace: BASELINE, name },
      target,
    } as const;
    await product.create(pods, binding, { subresource: 'binding', namespace: BASELINE, name });
    const issued = await credentials(machine, { client: product, nodes: NOTHING, profiles: NOTHING });
    const seed = seedFiles({ machine, nodeName: nodeNameOf(machine), cluster: facts, credentials: issued });
    const namespace = await prepare(site, machine);

    const started = performance.now();
    await launch(namespace, machineDirectory(site.directory, machine.name));
    await provider.filter(machine.name, openFirewall(machine.placement.address));
    const fed = provider.feed(machine, seed);
    await untilRunning(client, BASELINE, name);
    const seconds = secondsSince(started);

    await fed;
    await client.delete(pods, { namespace: BASELINE, name }, { gracePeriodSeconds: 0 });
    await product.delete(nodes, { name: nodeNameOf(machine) });
    return seconds;
  } finally {
    await provider.remove(machine.name);
    await product.close();
  }
};

const machineByHand = ({ metadata }: Pod, run: number, { image }: Site): Machine => {
  const [{ name: subnet, zone }] = SUBNETS;
  return {
    name: machineName(metadata.uid ?? ''),
    pod: { namespace: BASELINE, name: metadata.name ?? '', uid: metadata.uid ?? '' },
    profile: BASELINE,
    size: SIZE,
    // The last addresses of the subnet: the product picks by UID and meets them hardly ever.
    placement: { subnet, zone, region: REGION, address: `10.42.79.${240 - run}` },
    securityGroups: [],
    image: image.hash,
  };
};
