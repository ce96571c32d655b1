/** The client, and what is built on it, against a real API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ConfigMap,
  configMaps,
  customResourceDefinitions,
  events,
  namespaces,
  nodes,
  pods,
  secrets,
  serviceAccounts,
  type TokenRequest,
} from '../../src/api/resources.ts';
import { applyManifests, parseManifests } from '../../src/kube/apply.ts';
import {
  type ApiError,
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isNotFound,
  KubeClient,
} from '../../src/kube/client.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { startApiServer, type TestApiServer } from '../support/apiserver.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';

let server: TestApiServer;
let client: KubeClient;
beforeAll(async () => {
  server = await startApiServer();
  client = new KubeClient(server.config);
}, 90_000);
afterAll(async () => {
  await client?.close();
  await server?.stop();
});

const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  metadata: { namespace: 'default', name },
  data,
});

/** The error that a request ends with. */
const errorOf = async (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => undefined,
    (error) => error,
  );

describe('KubeClient', () => {
  it('creates, reads, replaces, patches and deletes', async () => {
    const key = { namespace: 'default', name: 'life' };
    const created = await client.create(configMaps, configMap('life', { a: '1' }));
    expect(created).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
    await client.replace(configMaps, { ...created, data: { a: '2' } });
    await client.patch(configMaps, key, { data: { b: '3' } }, { type: 'merge' });
    await client.patch(configMaps, key, [{ op: 'add', path: '/data/c', value: '4' }], { type: 'json' });
    await client.patch(configMaps, key, { data: { d: '5' } }, { type: 'strategic' });
    expect((await client.get(configMaps, key)).data).toEqual({ a: '2', b: '3', c: '4', d: '5' });
    await client.delete(configMaps, key);
    expect(isNotFound(await errorOf(client.get(configMaps, key)))).toBe(true);
  });

  it('tells errors apart by what the server says', async () => {
    const created = await client.create(configMaps, configMap('twice'));
    expect(isAlreadyExists(await errorOf(client.create(configMaps, configMap('twice'))))).toBe(true);
    await client.replace(configMaps, { ...created, data: { changed: 'yes' } });
    const stale = { ...created, data: { changed: 'no' } };
    expect(isConflict(await errorOf(client.replace(configMaps, stale)))).toBe(true);
    const key = { namespace: 'default', name: 'twice' };
    expect(isConflict(await errorOf(client.delete(configMaps, key, { uid: 'of another' })))).toBe(true);
    await client.delete(configMaps, key, { uid: created.metadata.uid });
    const invalid = (await errorOf(client.create(configMaps, configMap('Not_A_Name')))) as ApiError;
    expect(invalid).toMatchObject({ name: 'ApiError', status: 422, reason: 'Invalid' });
    expect(invalid.message).toMatch(
      /^POST \/api\/v1\/namespaces\/default\/configmaps: ConfigMap "Not_A_Name"/,
    );
  });

  it('refuses to address a whole collection by mistake', async () => {
    await expect(client.delete(configMaps, { namespace: 'default', name: '' })).rejects.toThrow(TypeError);
    await expect(client.get(configMaps, { name: 'a' })).rejects.toThrow(
      'configmaps a: a namespace is needed',
    );
  });

  it('lists by selectors, with the kind filled in', async () => {
    await client.create(nodes, { metadata: { name: 'n1', labels: { zone: 'a' } } });
    await client.create(nodes, { metadata: { name: 'n2', labels: { zone: 'b' } } });
    const found = await client.list(nodes, { labelSelector: 'zone=b' });
    expect(found).toMatchObject([{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2' } }]);
    expect(await client.list(namespaces, { fieldSelector: 'metadata.name=default' })).toHaveLength(1);
  });

  it('reads a list in pages of one moment', async () => {
    const names = Array.from({ length: 7 }, (_, n) => `page-${n}`);
    for (const name of names) await client.create(secrets, { metadata: { namespace: 'default', name } });
    const first = await client.page(secrets, { namespace: 'default', limit: 3 });
    await client.create(secrets, { metadata: { namespace: 'default', name: 'page-late' } });
    const { continueToken } = first;
    const second = await client.page(secrets, { namespace: 'default', limit: 100, continueToken });
    expect([...first.objects, ...second.objects].map(({ metadata }) => metadata.name)).toEqual(names);
    expect(second.resourceVersion).toBe(first.resourceVersion);
    expect(second.continueToken).toBeUndefined();
  });

  it('writes subresources: status, binding, token', async () => {
    await client.patch(
      nodes,
      { name: 'n1' },
      { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
      { type: 'strategic', subresource: 'status' },
    );
    expect((await client.get(nodes, { name: 'n1' })).status?.conditions).toMatchObject([{ type: 'Ready' }]);

    const key = { namespace: 'default', name: 'bound' };
    const containers = [{ name: 'main', image: 'none' }];
    await client.create(pods, { metadata: key, spec: { containers } });
    const target = { apiVersion: 'v1', kind: 'Node', name: 'n1' };
    await client.create(pods, { metadata: key, target }, { ...key, subresource: 'binding' });
    expect((await client.get(pods, key)).spec.nodeName).toBe('n1');

    const account = { namespace: 'default', name: 'robot' };
    await client.create(serviceAccounts, { metadata: account });
    const request: TokenRequest = { spec: { audiences: [], expirationSeconds: 3_600 } };
    const issued = await client.create(serviceAccounts, request, { ...account, subresource: 'token' });
    const { server: url, ca } = server.config;
    const robot = new KubeClient({ server: url, ...(ca && { ca }), token: issued.status?.token ?? '' });
    expect(await errorOf(robot.list(pods))).toMatchObject({ status: 403, reason: 'Forbidden' });
    await robot.close();
  });

  it('gives up on a server that does not answer, and says for what it waited', async () => {
    const proxy = await startFaultProxy(server.config.server);
    const impatient = new KubeClient({ ...server.config, server: proxy.url }, { limitMs: 3_000 });
    try {
      await impatient.get(namespaces, { name: 'default' });
      proxy.silence();
      const error = await errorOf(impatient.get(namespaces, { name: 'default' }));
      expect(error).toBeInstanceOf(ConnectionError);
      expect(error).toMatchObject({
        kind: 'late',
        message: 'GET /api/v1/namespaces/default: no answer in time',
      });
      proxy.cut();
      expect(await errorOf(impatient.list(namespaces))).toMatchObject({ kind: 'broken' });
      proxy.heal();
      expect(await impatient.list(namespaces)).not.toEqual([]);
    } finally {
      await impatient.close();
      await proxy.close();
    }
  });
});

describe('applyManifests', () => {
  const manifests = parseManifests(`
# Written in the wrong order on purpose.
apiVersion: example.com/v1
kind: Toy
metadata: {name: ball, namespace: play}
spec: {color: red}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: rules, namespace: play}
data: {since: 2024-01-01, when: "always"}
---
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: toys.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: toys, kind: Toy}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: Namespace
metadata: {name: play}
`);

  it('makes what is needed first, and may be repeated', async () => {
    await applyManifests(client, manifests, 'test');
    await applyManifests(client, manifests, 'test');
    const crd = await client.get(customResourceDefinitions, { name: 'toys.example.com' });
    expect(crd.metadata.generation).toBe(1);
    const rules = await client.get(configMaps, { namespace: 'play', name: 'rules' });
    expect(rules.data).toEqual({ since: '2024-01-01', when: 'always' });
  }, 30_000);

  it('removes fields that are no longer written', async () => {
    const rules = { ...configMap('rules', { when: 'never' }), apiVersion: 'v1', kind: 'ConfigMap' };
    await applyManifests(client, [{ ...rules, metadata: { name: 'rules', namespace: 'play' } }], 'test');
    const { data } = await client.get(configMaps, { namespace: 'play', name: 'rules' });
    expect(data).toEqual({ when: 'never' });
  });
});

describe('eventRecorder', () => {
  it('counts up the same event, also for another recorder, and writes one anew that has run out', async () => {
    const { metadata } = await client.create(configMaps, configMap('regarding'));
    const regarding = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'default',
      name: 'regarding',
      uid: metadata.uid ?? '',
    };
    const say = (message: string) =>
      eventRecorder(client, 'fargate-scheduler').event(regarding, 'Warning', 'FailedScheduling', message);
    const recorded = () =>
      client.list(events, { namespace: 'default', fieldSelector: `involvedObject.uid=${regarding.uid}` });
    await Promise.all([say('no room'), say('no room'), say('no room')]);
    await say('no address');
    expect(await recorded()).toMatchObject([
      {
        type: 'Warning',
        reason: 'FailedScheduling',
        source: { component: 'fargate-scheduler' },
        reportingComponent: 'fargate-scheduler',
        involvedObject: { name: 'regarding' },
        count: expect.any(Number),
      },
      expect.anything(),
    ]);
    const counts = (await recorded()).map(({ message, count }) => `${message}: ${count}`);
    expect(counts.sort()).toEqual(['no address: 1', 'no room: 3']);
    for (const { metadata } of await recorded())
      await client.delete(events, { namespace: 'default', name: metadata.name ?? '' });
    await say('no room');
    expect(await recorded()).toMatchObject([{ message: 'no room', count: 1 }]);
  });

  it('records events about cluster-scoped objects', async () => {
    const { metadata } = await client.get(nodes, { name: 'n1' });
    const regarding = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: metadata.uid ?? '' };
    await eventRecorder(client, 'test').event(regarding, 'Normal', 'Seen', 'A node was seen');
    const found = await client.list(events, { fieldSelector: 'involvedObject.name=n1' });
    expect(found).toMatchObject([{ reason: 'Seen', metadata: { namespace: 'default' } }]);
  });
});
