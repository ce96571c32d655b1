/**
 * Admission as users feel it: pods created at a steady rate on a real API server, in turns in a namespace that our
 * webhooks are called for and in one that they are not. What a pair of turns differs by is our part of it, on
 * whatever machine; and the API server itself says how long it waited for each webhook.
 */
import { Agent, request } from 'undici';
import { pods } from '../../src/api/resources.ts';
import { SCHEDULER, SYSTEM_NAMESPACE } from '../../src/core/names.ts';
import { until } from '../../src/host/wait.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { ensureFargate, podIn, startProduct, type TestProduct } from '../support/product.ts';
import { steadily, type Times, timesOf } from './load.ts';
import { type Interval, middleOf } from './pairs.ts';

const NS = 'bench-admission';

/** What the API server's own histogram says about one webhook (its metrics are in seconds). */
export interface WebhookTimes {
  readonly name: string;
  readonly calls: number;
  readonly meanMs: number;
  /** Share of calls that took at most so long; the histogram has no finer steps. */
  readonly within5Ms: number;
  readonly within25Ms: number;
}

/** Pods created as a dry run, so that neither etcd nor machines count. */
export interface ClusterAdmission {
  readonly podsPerSecond: number;
  readonly withWebhooks: Times;
  readonly withoutWebhooks: Times;
  /** What our webhooks add to the median and to the p99 of a turn, in milliseconds. */
  readonly added: { readonly median: Interval; readonly p99: Interval };
  readonly webhooks: readonly WebhookTimes[];
}

const METRIC = 'apiserver_admission_webhook_admission_duration_seconds';

/** Sums of a metric's series by webhook and, for buckets, by upper bound: `name sum`, `name count`, `name 0.005`. */
const readMetric = async ({ kubeconfig }: TestProduct): Promise<ReadonlyMap<string, number>> => {
  const { server, ca, certificate, key } = loadKubeconfig(kubeconfig);
  const dispatcher = new Agent({ connect: { ca, cert: certificate, key } });
  const text = await (await request(`${server}/metrics`, { dispatcher })).body.text();
  await dispatcher.close();
  const sums = new Map<string, number>();
  for (const [, what = '', labels = '', value = ''] of text.matchAll(
    new RegExp(`^${METRIC}_(bucket|sum|count)\\{([^}]*)\\} (\\S+)$`, 'gm'),
  )) {
    const name = /name="([^"]*)"/.exec(labels)?.[1] ?? '';
    const series = `${name} ${what === 'bucket' ? (/le="([^"]*)"/.exec(labels)?.[1] ?? '') : what}`;
    sums.set(series, (sums.get(series) ?? 0) + Number(value));
  }
  return sums;
};

const webhookTimes = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) => {
  const names = new Set([...after.keys()].map((series) => series.split(' ')[0] ?? ''));
  return [...names].flatMap((name): WebhookTimes[] => {
    const gained = (what: string): number =>
      (after.get(`${name} ${what}`) ?? 0) - (before.get(`${name} ${what}`) ?? 0);
    const calls = gained('count');
    const share = (bound: string): number => Math.round((gained(bound) / calls) * 10_000) / 10_000;
    if (calls === 0) return [];
    const meanMs = Math.round((gained('sum') / calls) * 100_000) / 100;
    return [{ name, calls, meanMs, within5Ms: share('0.005'), within25Ms: share('0.025') }];
  });
};

/** Creates pods at that rate in so many pairs of turns, after one pair of warming up. */
export const clusterAdmission = async (
  rate: number,
  { pairs, seconds }: { readonly pairs: number; readonly seconds: number },
): Promise<ClusterAdmission> => {
  const product = await startProduct({ kubelets: false });
  try {
    const { client } = product;
    await ensureFargate(client, NS);
    const createIn = (namespace: string) => (n: number) =>
      client.create(pods, podIn(namespace, `p${n}`), { dryRun: true });
    await until(async () => (await createIn(NS)(0)).spec.schedulerName === SCHEDULER, {
      limitMs: 30_000,
      what: 'the profile to be live',
    });
    const turn = (namespace: string) => steadily(rate, seconds, createIn(namespace));
    await turn(NS);
    await turn(SYSTEM_NAMESPACE);
    const before = await readMetric(product);
    const seen: (readonly number[])[] = [];
    const unseen: (readonly number[])[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      seen.push(await turn(NS));
      unseen.push(await turn(SYSTEM_NAMESPACE));
    }
    const added = (what: 'medianMs' | 'p99Ms') =>
      middleOf(seen.map((times, i) => timesOf(times)[what] - timesOf(unseen[i] ?? [])[what]));
    return {
      podsPerSecond: rate,
      withWebhooks: timesOf(seen.flat()),
      withoutWebhooks: timesOf(unseen.flat()),
      added: { median: added('medianMs'), p99: added('p99Ms') },
      webhooks: webhookTimes(before, await readMetric(product)),
    };
  } finally {
    await product.stop();
  }
};
