/** Several replicas of the API on one cluster: their changes of profiles come one after the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { leases, namespaces } from '../../src/api/resources.ts';
import { turns } from '../../src/eks/turn.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { startApiServer, type TestApiServer } from '../support/apiserver.ts';

const NAMESPACE = 'cloister-system';
let server: TestApiServer;
let client: KubeClient;

beforeAll(async () => {
  server = await startApiServer();
  client = new KubeClient(server.config);
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
}, 120_000);

afterAll(async () => {
  await client?.close();
  await server?.stop();
}, 60_000);

it('take turns, and go on after one that fails', async () => {
  const replicas = [1, 2, 3].map(() => turns(client, Date.now));
  let inside = 0;
  let most = 0;
  const change = async (index: number): Promise<number> => {
    inside++;
    most = Math.max(most, inside);
    await sleep(1); // gives the others the chance to break in
    inside--;
    if (index % 5 === 0) throw new Error('refused by the cluster');
    return index;
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: 10 }, (_, round) =>
      replicas.map((turn, nth) => turn(() => change(3 * round + nth))),
    ).flat(),
  );
  expect(most).toBe(1);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(6);
}, 60_000);

it('take over from one that died with the turn', async () => {
  const key = { namespace: NAMESPACE, name: 'eks-changes' };
  const lease = await client.get(leases, key);
  const renewTime = new Date(Date.now() - 39_000).toISOString().replace('Z', '000Z');
  await client.replace(leases, { ...lease, spec: { holderIdentity: 'dead', renewTime } });
  const began = performance.now();
  expect(await turns(client, Date.now)(async () => 'mine')).toBe('mine');
  expect(performance.now() - began).toBeGreaterThan(500);
  expect((await client.get(leases, key)).spec?.holderIdentity).toBe('');
}, 30_000);
