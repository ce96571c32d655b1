/**
 * Signed DescribeFargateProfile over 100 profiles, beside moto's server, which has no signatures to verify and
 * no cluster behind it. Both are asked by the same client with the same requests, in turns.
 *
 *   CLOISTER_COMPONENTS=DIR node --import tsx test/bench/api.ts [--json FILE]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CreateClusterCommand, CreateFargateProfileCommand, EKSClient } from '@aws-sdk/client-eks';
import { Pool } from 'undici';
import { fargateProfiles } from '../../src/api/resources.ts';
import { median, quantile } from '../../src/core/statistics.ts';
import { until } from '../../src/host/wait.ts';
import { pythonPrograms } from '../aws/python.ts';
import { type Signing, sign, target } from '../aws/raw.ts';
import { CLUSTER, clientOptions, ROLE, startEks } from '../aws/support.ts';
import { end, freePorts, launch } from '../support/apiserver.ts';

const MOTO = 'moto[server]==5.2.5';
const MOTO_REGION = 'us-east-1';
const PROFILES = 100;
const CONNECTIONS = 8;
const ROUNDS = 3;
const ROUND_MS = 5_000;

const NAMES = Array.from({ length: PROFILES }, (_, i) => `profile-${i}`);

/** A request that was signed beforehand: the client's own work is not what is measured. */
interface Prepared {
  readonly path: string;
  readonly headers: Record<string, string>;
}

const prepare = (base: string, keys: Signing) =>
  Promise.all(
    NAMES.map(async (name): Promise<Prepared> => {
      const raw = { method: 'GET', path: `/clusters/${CLUSTER}/fargate-profiles/${name}` };
      const signed = await sign(base, raw, keys);
      return { path: target(signed), headers: signed.headers };
    }),
  );

/** Milliseconds of each answer. @throws Error for an answer other than 200 */
const round = async (base: string, requests: readonly Prepared[]): Promise<readonly number[]> => {
  const pool = new Pool(base, { connections: CONNECTIONS });
  const times: number[] = [];
  const end = performance.now() + ROUND_MS;
  const work = async (start: number): Promise<void> => {
    for (let i = start; performance.now() < end; i += CONNECTIONS) {
      const { path, headers } = requests[i % requests.length] as Prepared;
      const began = performance.now();
      const { statusCode, body } = await pool.request({ method: 'GET', path, headers });
      const text = await body.text();
      times.push(performance.now() - began);
      if (statusCode !== 200) throw new Error(`${base}${path}: ${statusCode} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => work(index)));
  await pool.close();
  return times;
};

const figures = (rounds: readonly (readonly number[])[]) => {
  const times = rounds.flat();
  return {
    requests: times.length,
    perSecond: Math.round(times.length / ((ROUNDS * ROUND_MS) / 1000)),
    p50: Number(median(times).toFixed(2)),
    p99: Number(quantile(times, 0.99).toFixed(2)),
  };
};

/** moto's server with a cluster and the same profiles. */
const startMoto = async () => {
  const program = join(await pythonPrograms([MOTO]), 'moto_server');
  const [port] = (await freePorts(1)) as [number];
  const folder = mkdtempSync(join(tmpdir(), 'cloister-moto-'));
  const server = await launch(program, folder, ['-H', '127.0.0.1', '-p', String(port)]);
  const base = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${base}/moto-api/`)).ok, { limitMs: 30_000, what: 'moto to answer' });
  const credentials = { accessKeyId: 'AKIAMOTOMOTOMOTO2345', secretAccessKey: 'moto-secret-moto-secret' };
  // moto knows the regions of AWS only.
  const client = new EKSClient({ endpoint: base, region: MOTO_REGION, credentials });
  const roleArn = 'arn:aws:iam::123456789012:role/cluster';
  await client.send(new CreateClusterCommand({ name: CLUSTER, roleArn, resourcesVpcConfig: {} }));
  for (const fargateProfileName of NAMES)
    await client.send(
      new CreateFargateProfileCommand({
        clusterName: CLUSTER,
        fargateProfileName,
        podExecutionRoleArn: ROLE.replace('111122223333', '123456789012'),
        selectors: [{ namespace: fargateProfileName }],
      }),
    );
  client.destroy();
  const stop = async (): Promise<void> => {
    await end(server);
    rmSync(folder, { recursive: true });
  };
  return { base, keys: { ...credentials, region: MOTO_REGION }, stop };
};

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const eks = await startEks({ rate: { perSecond: 1e6, burst: 1_000_000 } }, PROFILES + 1);
const moto = await startMoto();
try {
  for (const name of NAMES)
    await eks.product.client.create(fargateProfiles, {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'FargateProfile',
      metadata: { name },
      spec: { selectors: [{ namespace: name }], podExecutionRoleArn: ROLE, subnets: ['private-a'] },
    });
  const own = clientOptions(eks.product, eks.keys).endpoint;
  const ours = await prepare(own, eks.keys);
  const theirs = await prepare(moto.base, moto.keys);
  await round(own, ours); // both warm up
  await round(moto.base, theirs);
  const measured: { cloister: (readonly number[])[]; moto: (readonly number[])[] } = {
    cloister: [],
    moto: [],
  };
  for (let i = 0; i < ROUNDS; i++) {
    measured.cloister.push(await round(own, ours));
    measured.moto.push(await round(moto.base, theirs));
  }
  const report = { cloister: figures(measured.cloister), moto: figures(measured.moto) };
  for (const [name, { perSecond, p50, p99 }] of Object.entries(report))
    process.stdout.write(
      `${name.padEnd(10)} ${String(perSecond).padStart(6)} requests/s   p50 ${String(p50).padStart(6)} ms   p99 ${String(p99).padStart(6)} ms\n`,
    );
  process.stdout.write('goal       ≥ 1500 requests/s, p99 ≤ 10 ms\n');
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await moto.stop();
  await eks.stop();
}
