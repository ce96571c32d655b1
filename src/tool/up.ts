/** `./tool up`: from a bare machine to a pod on a node of its own. */
import { join } from 'node:path';
import { publishImage } from '../cluster/basics.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { buildComponents, requireServed, useComponents } from '../cluster/components.ts';
import { ensurePackages } from '../cluster/packages.ts';
import { readRecord, requireSame } from '../cluster/record.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { runDemo } from './demo.ts';
import { BUSYBOX_REFERENCE, busyboxImage } from './images.ts';
import { prepareGuests, runProduct } from './product.ts';
import { display } from './progress.ts';
import { type ClusterFlags, DEFAULTS, locate } from './settings.ts';

/** A running cluster with the product in it. */
export interface Running {
  readonly cluster: Cluster;
  /** Folder of the programs, kubectl among them. */
  readonly components: string;
  /** Why guests run as they do, one sentence. */
  readonly virtualisation: string;
}

/** Installs packages and builds what is missing, for tests also theirs. Gives the folder of the programs. */
export const prepareComponents = async (
  flags: Pick<ClusterFlags, 'components' | 'kubernetesVersion'>,
  cache: string,
  onProgress: OnProgress,
  forTests = false,
): Promise<string> => {
  const { components, kubernetesVersion } = flags;
  requireServed(kubernetesVersion);
  if (components !== undefined) useComponents(components, kubernetesVersion);
  await ensurePackages({ build: components === undefined, test: forTests, onProgress });
  return components ?? buildComponents({ kubernetesVersion, cache, onProgress });
};

/** Everything of `up` but the demonstration. Safe to interrupt and repeat. */
export const bringUp = async (flags: ClusterFlags, onProgress: OnProgress): Promise<Running> => {
  const { name, state, cache } = locate(flags.name);
  const existing = readRecord(state);
  // Asked before anything is built, which can take a quarter of an hour.
  if (existing !== undefined) requireSame(existing, flags);
  if (process.getuid?.() !== 0)
    throw new Error('not root: a cluster needs network namespaces, so run this as root (sudo)');
  const components = await prepareComponents(flags, cache, onProgress);
  const guests = await prepareGuests(components, cache, onProgress);
  const { kubernetesVersion, nodes, egress, apiPort } = flags;
  const options = { name, state, components, kubernetesVersion, nodes, egress, onProgress };
  const cluster = await startCluster({ ...options, ...(apiPort === undefined ? {} : { apiPort }) });
  await step(onProgress, 'product', async () => {
    await runProduct(cluster, guests);
    await publishImage(state, cluster.registry, BUSYBOX_REFERENCE, await busyboxImage());
  });
  return { cluster, components, virtualisation: guests.why };
};

/** The command. */
export const up = async (flags: ClusterFlags & { readonly demo: boolean }): Promise<void> => {
  const started = performance.now();
  const shown = display();
  try {
    const running = await bringUp(flags, shown.onProgress);
    const report = flags.demo
      ? await runDemo(running.cluster, join(running.components, 'kubectl'), shown.onProgress)
      : '';
    shown.stop();
    process.stdout.write(`${report}${nextSteps(running, flags, performance.now() - started)}`);
  } finally {
    shown.stop();
  }
};

/** What a person may do next; the pod of the demonstration only where it is. */
export const nextSteps = (
  {
    cluster,
    virtualisation,
  }: Pick<Running, 'virtualisation'> & { readonly cluster: Pick<Cluster, 'kubeconfig'> },
  { name, demo }: { readonly name: string; readonly demo: boolean },
  ms: number,
): string => {
  const of = name === DEFAULTS.name ? '' : ` --name ${name}`;
  const commands = [
    `kubectl${of} get pods,nodes -A -o wide`,
    ...(demo ? [`kubectl${of} -n demo exec deploy/hello -- uname -a`] : []),
    `down${of}`,
  ];
  return `
Ready in ${(ms / 1000).toFixed(0)} s; ${virtualisation}.

  export KUBECONFIG=${cluster.kubeconfig}

Try next:
${commands.map((command) => `  ./tool ${command}\n`).join('')}`;
};
