/**
 * The process that keeps filters is killed with SIGKILL, between a real API server and real filters around machines
 * without guests: nothing opens, nothing that is allowed stops, and the next process catches up.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { definitionOf, KINDS } from '../../src/api/crds.ts';
import { microVMs, namespaces, networks, pods, securityGroups } from '../../src/api/resources.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { microVMOf } from '../../src/core/machine/microvm.ts';
import { API_VERSION } from '../../src/core/names.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { end, type Program, startApiServer, type TestApiServer } from '../support/apiserver.ts';
import { type Beside, clientIn, serverIn } from '../support/balanced.ts';
import {
  type BareMachine,
  type BarePlace,
  bareMachine,
  bareMachineOf,
  bareNetwork,
  barePlace,
  reaches,
} from '../support/bare-machine.ts';
import { startKeeper } from '../support/keeper.ts';

const NS = 'shop';
const PORT = 8080;
const WEB = '10.42.64.40';
/** Clients by their namespaces. */
const ONE = 'killed-one';
const OTHER = 'killed-other';
const CLIENTS = { [ONE]: '10.42.1.40', [OTHER]: '10.42.1.41' } as const;

let server: TestApiServer;
let client: KubeClient;
let place: BarePlace;
let keeper: Program | undefined;
let web: BareMachine;
let late: BareMachine;
const made: BareMachine[] = [];
const servers: Beside[] = [];

/** @param path where it finds programs */
const start = async (path?: string): Promise<Program> => {
  const { cluster, router, directory } = place;
  keeper = await startKeeper(
    server.folder,
    { api: server.config, site: { cluster, router, directory } },
    path,
  );
  return keeper;
};

/** A pod that serves on a machine of its own, and the object that the machine is for the controller. */
const machineWith = async (name: string, address: string): Promise<BareMachine> => {
  const pod = await client.create(pods, {
    metadata: { namespace: NS, name },
    spec: { containers: [{ name: 'main', image: 'none' }] },
  });
  const { uid = '' } = pod.metadata;
  const machine: Machine = { ...bareMachineOf(name, NS, address), pod: { namespace: NS, name, uid } };
  const bare = await bareMachine(machine, place, ['sleep', 'infinity']);
  made.push(bare);
  servers.push(await serverIn(bare.pod, address, name));
  await client.create(microVMs, microVMOf(machine));
  return bare;
};

/** Lets one of the clients in, and nobody else. */
const admit = (who: keyof typeof CLIENTS): Promise<unknown> => {
  const ingress = [{ protocol: 'tcp', peers: [{ cidr: `${CLIENTS[who]}/32` }] }];
  return client.patch(securityGroups, { name: 'cluster' }, { spec: { ingress } }, { type: 'merge' });
};

const gets = (who: keyof typeof CLIENTS, machine: BareMachine): Promise<boolean> =>
  reaches(who, machine, PORT);
const untilGets = (who: keyof typeof CLIENTS, machine: BareMachine, expected: boolean): Promise<unknown> =>
  until(async () => (await gets(who, machine)) === expected, {
    limitMs: 20_000,
    what: `${machine.machine.name} to be ${expected ? '' : 'un'}reachable from ${who}`,
  });

beforeAll(async () => {
  server = await startApiServer();
  client = new KubeClient(server.config);
  await applyManifests(client, KINDS.map(definitionOf), 'test');
  await client.create(namespaces, { metadata: { name: NS } });
  await client.create(securityGroups, {
    apiVersion: API_VERSION,
    kind: 'SecurityGroup',
    metadata: { name: 'cluster' },
    spec: { egress: [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }] },
  });
  await client.create(networks, bareNetwork('cluster'));
  place = await barePlace('killed');
  for (const [namespace, address] of Object.entries(CLIENTS)) await place.join(namespace, address);
  web = await machineWith('web', WEB);
}, 120_000);

afterAll(async () => {
  await end(keeper);
  await client?.close();
  await server?.stop();
  for (const one of servers) await one.kill();
  for (const one of made) await one.remove();
  await place?.end();
}, 60_000);

it('rules stay while nobody keeps them, and a machine made meanwhile is closed', async () => {
  await admit(ONE);
  await start();
  await untilGets(ONE, web, true);
  expect(await gets(OTHER, web)).toBe(false);
  const along = clientIn(ONE).hold(`http://${WEB}:${PORT}/hold`);
  const goesOn = async (): Promise<void> => {
    const before = along.output().length;
    await until(() => along.output().length > before, { limitMs: 10_000, what: 'the connection to go on' });
  };
  await goesOn();

  await end(keeper); // SIGKILL
  await admit(OTHER);
  late = await machineWith('late', '10.42.64.41');
  expect([await gets(ONE, web), await gets(OTHER, web)]).toEqual([true, false]);
  expect([await gets(ONE, late), await gets(OTHER, late)]).toEqual([false, false]);
  await goesOn();

  await start();
  await untilGets(OTHER, web, true);
  await untilGets(OTHER, late, true);
  expect(await gets(ONE, web)).toBe(false);
  const last = along.output().length;
  expect(await gets(ONE, late)).toBe(false);
  expect(along.output()).toHaveLength(last);
  await along.kill();
}, 120_000);

it('rules that were put in place but not noted are not taken for those before', async () => {
  await end(keeper);
  const folder = join(server.folder, 'programs');
  mkdirSync(folder);
  // The kernel has the rules, and then the one who asked is killed.
  const deadly = '#!/bin/sh\nPATH=${PATH#*:} nft "$@"\n[ "$*" != "-f -" ] || kill -9 $PPID\n';
  writeFileSync(join(folder, 'nft'), deadly, { mode: 0o755 });
  const { child } = await start(`${folder}${delimiter}${process.env.PATH}`);
  await admit(ONE);
  await until(() => child.signalCode === 'SIGKILL', { limitMs: 20_000, what: 'the process to be killed' });
  expect([await gets(ONE, web), await gets(ONE, late)]).toContain(true);
  await admit(OTHER);
  await start();
  for (const machine of [web, late]) {
    await untilGets(ONE, machine, false);
    await untilGets(OTHER, machine, true);
  }
}, 120_000);
