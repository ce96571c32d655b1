/**
 * Faults never open a filter. A real API server, real filters around a machine without a guest, and between them
 * the part of the controller that keeps filters; each fault is real, too.
 */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { definitionOf, KINDS } from '../../src/api/crds.ts';
import {
  events,
  flowWatches,
  microVMs,
  namespaces,
  networkPolicies,
  networks,
  pods,
  securityGroups,
} from '../../src/api/resources.ts';
import { enclosed } from '../../src/compute/local/router.ts';
import { openFirewall } from '../../src/core/firewall/open.ts';
import type { ShownFlow } from '../../src/core/flows/follow.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { microVMOf } from '../../src/core/machine/microvm.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { KubeClient, orNothing } from '../../src/kube/client.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { watchStore } from '../../src/kube/store.ts';
import { runEnclosure } from '../../src/network/enclosure.ts';
import { runFilters } from '../../src/network/filters.ts';
import { runFollowers } from '../../src/network/followers.ts';
import { runRefusals } from '../../src/network/refusals.ts';
import { firewallStores } from '../../src/network/stores.ts';
import { startApiServer, type TestApiServer } from '../support/apiserver.ts';
import {
  type BareMachine,
  type BarePlace,
  bareMachine,
  bareMachineOf,
  bareNetwork,
  barePlace,
  inside,
  reaches,
} from '../support/bare-machine.ts';
import { counterAt } from '../support/filters.ts';
import { component } from '../support/run.ts';

const API_VERSION = 'cloister.dev/v1alpha1';
const NS = 'shop';
const PORT = 8080;
const ADDRESS = '10.42.64.20';
const CLIENT = 'faults-client';
const CLIENT_ADDRESS = '10.42.1.9';
const log = pino({ level: 'silent' });
const agnhost = component('agnhost');

let server: TestApiServer;
let client: KubeClient;
let place: BarePlace;
let machine: Machine;
let bare: BareMachine;
let controller: { stop(): Promise<void> } | undefined;
/** How much later it is for the controller than it really is, in milliseconds. */
let ahead = 0;

/** The part of the controller that keeps filters and networks, as src/main/controller.ts runs it. */
const startController = async (): Promise<{ stop(): Promise<void> }> => {
  const stores = { ...firewallStores(client, log), flowWatches: watchStore(client, flowWatches, { log }) };
  await Promise.all(Object.values(stores).map(({ synced }) => synced));
  const context = {
    ...stores,
    provider: place.provider,
    client,
    events: eventRecorder(client, 'test'),
    log,
    now: () => new Date(Date.now() + ahead),
  };
  const enclosure = runEnclosure(context);
  const filters = runFilters(context);
  const refusals = runRefusals(context);
  const followers = runFollowers(context);
  return {
    stop: async () => {
      await Promise.all([enclosure.stop(), filters.stop(), refusals.stop(), followers.stop()]);
      for (const store of Object.values(stores)) store.stop();
    },
  };
};

/** Whether the client reaches the pod. */
const isReached = (): Promise<boolean> => reaches(CLIENT, bare, PORT);
const untilReached = (expected: boolean): Promise<unknown> =>
  until(async () => (await isReached()) === expected, {
    limitMs: 45_000, // a watch that was cut off is tried again within 30 s
    what: `the pod to be ${expected ? '' : 'un'}reachable`,
  });

const group = (name: string, from: string) => ({
  apiVersion: API_VERSION as typeof API_VERSION,
  kind: 'SecurityGroup' as const,
  metadata: { name },
  spec: {
    ingress: [{ protocol: 'tcp', peers: [{ cidr: from }] }],
    egress: [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }],
  },
});
const setIngress = (from: string) =>
  client.patch(securityGroups, { name: 'cluster' }, group('cluster', from), { type: 'merge' });

beforeAll(async () => {
  server = await startApiServer();
  client = new KubeClient(server.config);
  await applyManifests(client, KINDS.map(definitionOf), 'test');
  await client.create(namespaces, { metadata: { name: NS } });
  const pod = await client.create(pods, {
    metadata: { namespace: NS, name: 'web', labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'none' }] },
  });
  place = await barePlace('faults');
  const { uid = '' } = pod.metadata;
  machine = { ...bareMachineOf('web', NS, ADDRESS), pod: { namespace: NS, name: 'web', uid } };
  bare = await bareMachine(machine, place, [agnhost, 'netexec', `--http-port=${PORT}`, '--udp-port=-1']);
  await place.join(CLIENT, CLIENT_ADDRESS);
  await until(async () => (await inside(bare.pod, `ss -Hltn sport = :${PORT}`)) !== '', {
    limitMs: 20_000,
    what: 'the pod to serve',
  });
}, 120_000);

afterAll(async () => {
  await controller?.stop();
  await client?.close();
  await server?.stop();
  await bare?.remove();
  await place?.end();
}, 60_000);

it('a machine starts closed, and stays so while there is no Network', async () => {
  expect(await isReached()).toBe(false);
  controller = await startController();
  await client.create(microVMs, microVMOf(machine));
  await client.create(securityGroups, group('cluster', '10.42.0.0/16'));
  expect(await isReached()).toBe(false);
});

it('opens as its group says, once the Network says which group that is', async () => {
  await client.create(networks, bareNetwork('cluster'));
  await untilReached(true);
});

it('encloses the networks that the Network names, as they come and go', async () => {
  const untilEnclosed = (...networks: readonly string[]) =>
    until(async () => (await enclosed(place.router)).join() === networks.join(), {
      limitMs: 20_000,
      what: `the router to enclose ${networks.join()}`,
    });
  const setCidrs = (...cidrs: readonly string[]) =>
    client.patch(networks, { name: 'cluster' }, { spec: { cidrs } }, { type: 'merge' });
  await setCidrs('10.42.0.0/16', '10.43.0.0/16');
  await untilEnclosed('10.42.0.0/16', '10.43.0.0/16');
  await setCidrs('10.42.0.0/16', '10.44.0.0/16');
  await untilEnclosed('10.42.0.0/16', '10.44.0.0/16');
});

it('follows a changed group and a policy', async () => {
  await setIngress('192.0.2.0/24');
  await untilReached(false);
  await setIngress('10.42.0.0/16');
  await untilReached(true);
  const policy = { metadata: { namespace: NS, name: 'deny' }, spec: { podSelector: {} } };
  await client.create(networkPolicies, policy);
  await until(
    async () => {
      await inside(CLIENT, `${agnhost} connect --timeout=500ms ${ADDRESS}:${PORT} 2>&1 || true`);
      return (await counterAt(bare.outside, 'policy-ingress')) > 0;
    },
    { limitMs: 20_000, what: 'the policy to refuse something' },
  );
  await client.delete(networkPolicies, { namespace: NS, name: 'deny' });
  await untilReached(true);
});

it('tells why it refused a connection, and who began it', async () => {
  const peer = await client.create(pods, {
    metadata: { namespace: NS, name: 'client' },
    spec: { containers: [{ name: 'main', image: 'none' }] },
  });
  const status = { podIP: CLIENT_ADDRESS, podIPs: [{ ip: CLIENT_ADDRESS }] };
  const options = { type: 'merge', subresource: 'status' } as const;
  await client.patch(pods, { namespace: NS, name: peer.metadata.name ?? '' }, { status }, options);
  await setIngress('192.0.2.0/24');
  await untilReached(false);
  const reason = `group cluster has no ingress rule for TCP ${PORT} from ${CLIENT_ADDRESS}`;
  const message = `Refused: ${reason} (pod ${NS}/client)`;
  const told = await until(
    async () => (await client.list(events, { namespace: NS })).find((event) => event.message === message),
    { limitMs: 20_000, what: 'the event on the pod' },
  );
  expect(told).toMatchObject({ type: 'Warning', reason: 'FlowRefused', involvedObject: { name: 'web' } });
  const { status: known } = await client.get(microVMs, { name: machine.name });
  expect(known?.refused?.find((one) => one.reason === reason)).toMatchObject({
    direction: 'ingress',
    peer: CLIENT_ADDRESS,
    peerPod: `${NS}/client`,
    protocol: 'TCP',
    port: PORT,
    by: 'group-ingress',
  });
  await setIngress('10.42.0.0/16');
  await untilReached(true);
});

it('shows connections to those who follow them, for as long as they do', async () => {
  const key = { namespace: NS, name: 'watched' };
  const watch = (pod: string) =>
    client.create(flowWatches, {
      apiVersion: API_VERSION,
      kind: 'FlowWatch',
      metadata: key,
      spec: { pod, renewTime: new Date().toISOString() },
    });
  const untilShown = (what: string, is: (flow: ShownFlow) => boolean): Promise<ShownFlow> =>
    until(async () => (await client.get(flowWatches, key)).status?.flows?.findLast(is), {
      limitMs: 20_000,
      what,
    });
  await watch('web');
  const { seq } = await untilShown('a connection before', ({ verdict }) => verdict === 'accepted');
  const fresh = (flow: ShownFlow): boolean => flow.seq > seq && flow.peer === CLIENT_ADDRESS;
  expect(await isReached()).toBe(true);
  const accepted = await untilShown('the connection', (flow) => fresh(flow) && flow.verdict === 'accepted');
  const common = { direction: 'ingress', peerPod: `${NS}/client`, protocol: 'TCP', port: PORT };
  expect(accepted).toMatchObject(common);
  await inside(bare.pod, `${agnhost} connect --timeout=500ms ${CLIENT_ADDRESS}:81 2>&1 || true`);
  const begun = await untilShown('what the pod began', (flow) => fresh(flow) && flow.port === 81);
  expect(begun).toMatchObject({ direction: 'egress', verdict: 'accepted' });

  await setIngress('192.0.2.0/24');
  await untilReached(false);
  const refused = await untilShown('the refusal', (flow) => fresh(flow) && flow.verdict === 'refused');
  const reason = `group cluster has no ingress rule for TCP ${PORT} from ${CLIENT_ADDRESS}`;
  expect(refused).toMatchObject({ ...common, by: 'group-ingress', reason });
  await setIngress('10.42.0.0/16');
  await untilReached(true);

  ahead += 61_000;
  await until(async () => (await orNothing(client.get(flowWatches, key))) === undefined, {
    limitMs: 20_000,
    what: 'a FlowWatch that nobody renews to be removed',
  });
  await watch('nobody');
  await until(async () => (await orNothing(client.get(flowWatches, key))) === undefined, {
    limitMs: 20_000,
    what: 'the FlowWatch of a pod without a machine to be removed',
  });
});

it('keeps its rules while the API server is away, and follows once it is back', async () => {
  await setIngress('192.0.2.0/24');
  await untilReached(false);
  await server.crash();
  expect(await isReached()).toBe(false);
  await server.restart();
  await setIngress('10.42.0.0/16');
  await untilReached(true);
}, 120_000);

it('keeps its rules while the controller is away, and has new ones when it comes back', async () => {
  await controller?.stop();
  await setIngress('192.0.2.0/24');
  expect(await isReached()).toBe(true);
  controller = await startController();
  await untilReached(false);
});

it('keeps its rules when the kernel refuses others, and says so on the pod', async () => {
  const unspeakable = openFirewall(ADDRESS);
  const allows = [{ peers: unspeakable.node.kubeletClients, origin: 'a "quoted" name' }];
  const layer = { origins: ['x'], allows };
  const broken = { ...unspeakable, groups: { ingress: layer, egress: layer } };
  await expect(place.provider.filter(machine.name, broken)).rejects.toMatchObject({ kind: 'rules-refused' });
  expect(await isReached()).toBe(false);

  await inside(bare.outside, 'nft delete table inet machine; nft add table inet machine');
  await inside(
    bare.outside,
    'nft add chain inet machine forward "{ type filter hook forward priority 0; policy drop; }"',
  );
  await setIngress('10.42.0.0/16');
  const told = await until(
    async () =>
      (await client.list(events, { namespace: NS })).find(({ reason }) => reason === 'PacketFilterRefused'),
    { limitMs: 20_000, what: 'the event on the pod' },
  );
  expect(told).toMatchObject({ type: 'Warning', involvedObject: { kind: 'Pod', name: 'web' } });
  expect(told.message).toContain("The packet filter of this pod's machine stays as it was");
});
