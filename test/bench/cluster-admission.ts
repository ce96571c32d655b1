/**
 * Admission as users feel it: pods created at a steady rate on a real API server, with our webhooks and, for
 * comparison, without them; and how long the API server itself says that it waited for each webhook.
 */
import { Agent, request } from 'undici';
import { mutatingWebhookConfigurations, pods } from '../../src/api/resources.ts';
import { MUTATING_WEBHOOK } from '../../src/core/names.ts';
import { until } from '../../src/host/wait.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { ensureFargate, podIn, startProduct, type TestProduct } from '../support/product.ts';
import { steadily, type Times, timesOf } from './load.ts';

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

/** Creates pods at that rate for so many seconds, after two of warming up; then again without our webhooks. */
export const clusterAdmission = async (rate: number, seconds: number): Promise<ClusterAdmission> => {
  const product = await startProduct({ kubelets: false });
  try {
    const { client } = product;
    await ensureFargate(client, NS);
    const create = (n: number) => client.create(pods, podIn(NS, `p${n}`), { dryRun: true });
    await until(async () => (await create(0)).spec.schedulerName === 'fargate-scheduler', {
      limitMs: 30_000,
      what: 'the profile to be live',
    });
    await steadily(rate, 2, create);
    const before = await readMetric(product);
    const withWebhooks = timesOf(await steadily(rate, seconds, create));
    const webhooks = webhookTimes(before, await readMetric(product));
    for (const { metadata } of await client.list(mutatingWebhookConfigurations))
      await client.delete(mutatingWebhookConfigurations, { name: metadata.name ?? MUTATING_WEBHOOK });
    await until(async () => (await create(0)).spec.schedulerName === 'default-scheduler', {
      limitMs: 30_000,
      what: 'the webhooks to be forgotten',
    });
    await steadily(rate, 2, create);
    const withoutWebhooks = timesOf(await steadily(rate, seconds, create));
    return { podsPerSecond: rate, withWebhooks, withoutWebhooks, webhooks };
  } finally {
    await product.stop();
  }
};
