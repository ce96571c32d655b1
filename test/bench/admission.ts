/** Admission under a steady load over HTTPS, as the API server calls it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { until } from '../../src/host/wait.ts';
import { end, freePorts, launch } from '../support/apiserver.ts';
import { makePki } from '../support/pki.ts';
import { podNumber } from './pure.ts';

/** Answer times in milliseconds, each counted from when the pod was due, not from when it could be sent. */
export interface AdmissionTimes {
  readonly podsPerSecond: number;
  readonly pods: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

const review = (n: number): string => {
  const object = { apiVersion: 'v1', kind: 'Pod', ...podNumber(n) };
  const request_ = { uid: `r${n}`, operation: 'CREATE', namespace: object.metadata.namespace, object };
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: request_ });
};

const at = (sorted: readonly number[], q: number): number =>
  Math.round((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 100) / 100;

const send = async (base: string, dispatcher: Agent, n: number): Promise<void> => {
  const { statusCode, body } = await request(`${base}/mutate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: review(n),
    dispatcher,
  });
  const answer = (await body.json()) as { response?: { patch?: string } };
  if (statusCode !== 200 || answer.response?.patch === undefined)
    throw new Error(`review ${n} was answered by ${statusCode}: ${JSON.stringify(answer)}`);
};

const load = async (
  base: string,
  dispatcher: Agent,
  rate: number,
  seconds: number,
): Promise<readonly number[]> => {
  const taken: number[] = [];
  const began = performance.now();
  const all: Promise<void>[] = [];
  for (let n = 0; n < rate * seconds; n += 1) {
    const due = began + (n * 1000) / rate;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    all.push(send(base, dispatcher, n).then(() => void taken.push(performance.now() - due)));
  }
  await Promise.all(all);
  return taken.toSorted((a, b) => a - b);
};

/** Measures for so many seconds, after two of warming up. */
export const admissionTimes = async (rate: number, seconds: number): Promise<AdmissionTimes> => {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-bench-'));
  const pki = await makePki();
  const [port] = (await freePorts(1)) as [number];
  const settings = join(folder, 'settings.json');
  writeFileSync(settings, JSON.stringify({ port, ...pki.server }), { mode: 0o600 });
  const script = join(import.meta.dirname, 'admission-server.ts');
  const server = await launch(process.execPath, folder, ['--import', 'tsx', script, settings]);
  const dispatcher = new Agent({ connect: { ca: pki.ca }, connections: 16 });
  const base = `https://127.0.0.1:${port}`;
  try {
    await until(async () => (await request(`${base}/healthz`, { dispatcher })).statusCode === 200, {
      limitMs: 30_000,
      what: 'the admission server to answer',
    });
    await load(base, dispatcher, rate, 2);
    const times = await load(base, dispatcher, rate, seconds);
    return {
      podsPerSecond: rate,
      pods: times.length,
      medianMs: at(times, 0.5),
      p99Ms: at(times, 0.99),
      longestMs: at(times, 1),
    };
  } finally {
    await dispatcher.close();
    await end(server);
    rmSync(folder, { recursive: true });
  }
};
