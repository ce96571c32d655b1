/**
 * Several replicas on one cluster: their changes of profiles come one after the other, and a profile is ACTIVE when
 * it is live in every replica of admission.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { announce } from '../../src/admission/presence.ts';
import { admissionServer } from '../../src/admission/webhook.ts';
import { definitionOf, KINDS } from '../../src/api/crds.ts';
import type { FargateProfile } from '../../src/api/fargate-profile.ts';
import { configMaps, fargateProfiles, leases, microVMs, namespaces, pods } from '../../src/api/resources.ts';
import { profileStatus } from '../../src/core/eks/create.ts';
import { forget, RETENTION_MS, recall, remember, requestOf } from '../../src/eks/idempotency.ts';
import { turns } from '../../src/eks/turn.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { ConnectionError, KubeClient } from '../../src/kube/client.ts';
import { watchStore } from '../../src/kube/store.ts';
import { runProfiles } from '../../src/profiles/reconciler.ts';
import { watchReplicas } from '../../src/profiles/replicas.ts';
import { startApiServer, type TestApiServer } from '../support/apiserver.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { podIn } from '../support/product.ts';

const NAMESPACE = 'cloister-system';
const log = pino({ level: 'silent' });
/** What is under test waits for no more than this after a fault has ended. */
const BACKOFF = { firstMs: 50, longestMs: 200 };
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
  const replicas = [1, 2, 3].map(() => turns(client));
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

it('take over from one that died with the turn, whatever its clock said', async () => {
  const key = { namespace: NAMESPACE, name: 'eks-changes' };
  const lease = await client.get(leases, key);
  const renewTime = new Date(Date.now() - 3_600_000).toISOString().replace('Z', '000Z');
  await client.replace(leases, { ...lease, spec: { holderIdentity: 'dead', renewTime } });
  const began = performance.now();
  // Forty seconds are four here.
  expect(await turns(client, () => performance.now() * 10)(async () => 'mine')).toBe('mine');
  expect(performance.now() - began).toBeGreaterThan(3_900);
  expect((await client.get(leases, key)).spec?.holderIdentity).toBe('');
}, 30_000);

it('take the next turn at once when the last one could not be given back', async () => {
  let writes = 0;
  const cut = {
    get: client.get.bind(client),
    create: client.create.bind(client),
    replace: async (...args: Parameters<KubeClient['replace']>) => {
      writes++;
      if (writes === 2) throw new ConnectionError('broken', 'cut');
      return client.replace(...args);
    },
  } as unknown as KubeClient;
  const turn = turns(cut);
  await expect(turn(async () => 'first')).rejects.toThrow('cut');
  const began = performance.now();
  expect(await turn(async () => 'second')).toBe('second');
  expect(performance.now() - began).toBeLessThan(5_000);
}, 60_000);

it('know the answers that another gave, for a day', async () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const request = requestOf('c', 'token', { name: 'p', tags: { a: '1', b: '2' } });
  const later = now + RETENTION_MS;
  expect(await recall(client, request, now)).toEqual({ kind: 'new' });
  await remember(client, request, { answer: 1 }, now);
  // The same request, written otherwise.
  const again = requestOf('c', 'token', { tags: { b: '2', a: '1' }, name: 'p', labels: null });
  expect(await recall(client, again, later - 1)).toEqual({ kind: 'repeated', answer: { answer: 1 } });
  const other = requestOf('c', 'token', { name: 'q' });
  expect(await recall(client, other, later - 1)).toMatchObject({ type: 'InvalidParameterException' });
  expect(await recall(client, requestOf('c', 'another', { name: 'p' }), now)).toEqual({ kind: 'new' });

  await forget(client, later - 1);
  expect(await recall(client, request, later - 1)).toMatchObject({ kind: 'repeated' });
  // When the time is over the answer counts no more, also before anybody has swept; it may be given anew.
  expect(await recall(client, other, later)).toEqual({ kind: 'new' });
  await remember(client, other, { answer: 2 }, later);
  expect(await recall(client, other, later)).toEqual({ kind: 'repeated', answer: { answer: 2 } });
  await forget(client, later + RETENTION_MS);
  expect(await client.list(configMaps, { namespace: NAMESPACE, labelSelector: 'cloister.dev/eks' })).toEqual(
    [],
  );
});

describe('a profile', () => {
  /** Only the profiles of the second replica come by way of it. */
  let proxy: FaultProxy;
  let replicas: readonly Replica[];
  const stops: (() => unknown)[] = [];

  /** One replica of admission, as `main/controller.ts` wires it. */
  const startReplica = async (reader: KubeClient) => {
    const presence = await announce(client, log);
    const profiles = watchStore(reader, fargateProfiles, { log, timing: { backoff: BACKOFF } });
    await profiles.synced;
    const { certificate, key } = server.pki.server;
    const admission = admissionServer({
      profiles: () => profiles.list(),
      microVM: () => undefined,
      tls: { certificate, key: key ?? '' },
      log,
    });
    presence.follow(profiles);
    stops.push(() => admission.close(), presence.stop, profiles.stop);
    /** Whether it takes pods of that namespace. */
    const takes = async (namespace: string): Promise<boolean> => {
      const review = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: { uid: 'u', operation: 'CREATE', namespace, object: podIn(namespace, 'p') },
      };
      const answer = await admission.inject({ method: 'POST', url: '/mutate', payload: review });
      return answer.json<{ response: { patch?: string } }>().response.patch !== undefined;
    };
    return { name: presence.name, takes };
  };
  type Replica = Awaited<ReturnType<typeof startReplica>>;

  beforeAll(async () => {
    await applyManifests(client, KINDS.map(definitionOf), 'test');
    proxy = await startFaultProxy(server.config.server);
    const proxied = new KubeClient({ ...server.config, server: proxy.url });
    replicas = [await startReplica(client), await startReplica(proxied)];
    const stores = {
      profiles: watchStore(client, fargateProfiles, { log }),
      pods: watchStore(client, pods, { log }),
      microVMs: watchStore(client, microVMs, { log }),
      replicas: watchReplicas(client, log),
    };
    await Promise.all(Object.values(stores).map((store) => store.synced));
    const reconciler = runProfiles({ client, ...stores, log, now: Date.now });
    stops.unshift(() => reconciler.stop());
    stops.push(...Object.values(stores).map((store) => store.stop), () => proxied.close(), proxy.close);
  }, 60_000);

  afterAll(async () => {
    for (const stop of stops) await stop();
  }, 60_000);

  const create = (name: string) =>
    client.create(fargateProfiles, {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'FargateProfile',
      metadata: { name },
      spec: { selectors: [{ namespace: name }] },
    });

  const untilStatus = (name: string, status: string): Promise<FargateProfile> =>
    until(
      async () => {
        const profile = await client.get(fargateProfiles, { name });
        return profileStatus(profile) === status ? profile : undefined;
      },
      { limitMs: 30_000, everyMs: 20, what: `profile ${name} to be ${status}` },
    );

  const takenBy = (namespace: string) => Promise.all(replicas.map(({ takes }) => takes(namespace)));

  it('that is ACTIVE is live in every replica', async () => {
    await create('both');
    await untilStatus('both', 'ACTIVE');
    expect(await takenBy('both')).toEqual([true, true]);
  });

  it('is not ACTIVE while one replica lags behind, says which, and is when that has caught up', async () => {
    proxy.cut();
    await create('late');
    const { status } = await until(
      async () => {
        const profile = await client.get(fargateProfiles, { name: 'late' });
        return profile.status?.health?.issues.length === 1 ? profile : undefined;
      },
      { limitMs: 30_000, what: 'the profile to tell what it waits for' },
    );
    expect(status).toMatchObject({
      status: 'CREATING',
      health: {
        issues: [
          {
            code: 'ClusterUnreachable',
            message: `1 of 2 replicas of admission do not have the profile yet: ${replicas[1]?.name}`,
            resourceIds: ['late'],
          },
        ],
      },
      conditions: [{ type: 'Live', status: 'False' }],
    });
    expect(await takenBy('late')).toEqual([true, false]);
    proxy.heal();
    const active = await untilStatus('late', 'ACTIVE');
    expect(await takenBy('late')).toEqual([true, true]);
    expect(active.status).toMatchObject({
      health: { issues: [] },
      conditions: [{ type: 'Live', status: 'True' }],
    });
  }, 60_000);

  it('whose selectors change is CREATING until the new ones are live', async () => {
    proxy.cut();
    const spec = { selectors: [{ namespace: 'changed' }] };
    const changed = await client.patch(fargateProfiles, { name: 'both' }, { spec }, { type: 'merge' });
    expect(profileStatus(changed)).toBe('CREATING');
    await until(() => replicas[0]?.takes('changed'), {
      limitMs: 10_000,
      what: 'the change to be live in the replica that can be reached',
    });
    expect(await takenBy('changed')).toEqual([true, false]);
    proxy.heal();
    await untilStatus('both', 'ACTIVE');
    expect(await takenBy('changed')).toEqual([true, true]);
    expect(await takenBy('both')).toEqual([false, false]);
  }, 60_000);

  it('does not wait for a replica that has died', async () => {
    const name = 'admission-dead';
    await client.create(leases, {
      metadata: { namespace: NAMESPACE, name, labels: { 'cloister.dev/admission': 'replica' } },
      spec: { holderIdentity: name, leaseDurationSeconds: 2 },
    });
    await create('heir');
    const { status } = await client.get(fargateProfiles, { name: 'heir' });
    expect(status?.status).not.toBe('ACTIVE');
    await untilStatus('heir', 'ACTIVE');
    expect(
      (await client.list(leases, { namespace: NAMESPACE })).map(({ metadata }) => metadata.name),
    ).not.toContain(name);
  }, 60_000);
});
