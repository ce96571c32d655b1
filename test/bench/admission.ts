/** Admission under a steady load over HTTPS, as the API server calls it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { until } from '../../src/host/wait.ts';
import { end, freePorts, launch } from '../support/apiserver.ts';
import { makePki } from '../support/pki.ts';
import { steadily, type Times, timesOf } from './load.ts';
import { podNumber } from './pure.ts';

const review = (n: number): string => {
  const object = { apiVersion: 'v1', kind: 'Pod', ...podNumber(n) };
  const request_ = { uid: `r${n}`, operation: 'CREATE', namespace: object.metadata.namespace, object };
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: request_ });
};

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

/** Measures for so many seconds, after two of warming up. */
export const admissionTimes = async (rate: number, seconds: number): Promise<Times> => {
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
    const one = (n: number) => send(base, dispatcher, n);
    await steadily(rate, 2, one);
    return timesOf(await steadily(rate, seconds, one));
  } finally {
    await dispatcher.close();
    await end(server);
    rmSync(folder, { recursive: true });
  }
};
