/** `./tool bench start`: cold starts in a cluster of their own, and the table of them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stopCluster } from '../cluster/stop.ts';
import { loadConfig } from '../main/config.ts';
import { providerOf, siteOf } from '../main/providers.ts';
import { type Bench, benchStart, type StartReport } from './bench-start.ts';
import { controllerConfigFile } from './product.ts';
import { display } from './progress.ts';
import { type ClusterFlags, DEFAULTS, locate } from './settings.ts';
import { bringUp, type Running } from './up.ts';

/** Name of the cluster that is measured, beside whatever else runs on the machine. */
const BENCH_CLUSTER = 'clobench';

/** Options of `./tool bench start`. */
export interface BenchFlags extends Pick<ClusterFlags, 'components' | 'kubernetesVersion'> {
  readonly runs: number;
  /** File for the figures as JSON. */
  readonly json?: string;
}

/** The command `bench start`: cold starts, product beside baseline. */
export const start = async ({ runs, json, ...flags }: BenchFlags): Promise<void> => {
  const shown = display();
  try {
    const running = await bringUp(
      { ...DEFAULTS, ...flags, name: BENCH_CLUSTER, apiPort: 0 },
      shown.onProgress,
    );
    const report = await benchStart(benchOf(running), runs, shown.onProgress);
    shown.stop();
    process.stdout.write(`${table(report)}\n${running.virtualisation}.\n`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    shown.stop();
    await stopCluster(locate(BENCH_CLUSTER));
  }
};

const benchOf = ({ cluster, components }: Running): Bench => {
  const config = loadConfig(controllerConfigFile(cluster.state));
  if (config.provider.kind !== 'local') throw new Error('cold starts are measured on real machines only');
  const { certificateAuthority, ...facts } = config.cluster;
  return {
    cluster,
    kubectl: join(components, 'kubectl'),
    provider: providerOf(config).provider,
    site: siteOf(config.provider),
    facts: { ...facts, ca: readFileSync(certificateAuthority, 'utf8') },
  };
};

/** The figures for people: medians in seconds. */
export const table = ({ runs, stages, product, baseline, ratio, overheadMiB }: StartReport): string => {
  const line = (what: string, seconds: number): string =>
    `  ${what.padEnd(28)} ${seconds.toFixed(2).padStart(8)} s`;
  return [
    `Medians of ${runs} cold starts, seconds after the pod was created:`,
    ...Object.entries(stages).map(([stage, seconds]) => line(stage, seconds)),
    '',
    line('product, create to Running', product),
    line('baseline, QEMU to Running', baseline),
    `  ${'ratio (goal: at most 1.15)'.padEnd(28)} ${ratio.toFixed(2).padStart(8)}`,
    `  ${'node memory (goal: 256 MiB)'.padEnd(28)} ${overheadMiB.toFixed(0).padStart(8)} MiB`,
  ].join('\n');
};
