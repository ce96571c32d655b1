/**
 * What the filtered path costs two real guests, beside the same two guests joined by a plain bridge, in turns. A pod
 * in one of them measures all the time and by two ports: the filter lets one pass and the bridge the other, so
 * that each figure tells by its port which way it went, and no clock of a guest has to be believed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { machineOf } from '../../src/api/micro-vm.ts';
import { microVMs, pods } from '../../src/api/resources.ts';
import { publishImage } from '../../src/cluster/basics.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import type { Entry } from '../../src/cluster/image.ts';
import { REGISTRY, VPC_CIDR } from '../../src/cluster/plan.ts';
import { stopCluster } from '../../src/cluster/stop.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import { machineName } from '../../src/core/machine/microvm.ts';
import { KUBELET_PORT } from '../../src/core/machine/node.ts';
import { API_VERSION } from '../../src/core/names.ts';
import type { Pod } from '../../src/core/pod.ts';
import { median } from '../../src/core/statistics.ts';
import { exec } from '../../src/host/exec.ts';
import type { OnProgress } from '../../src/host/progress.ts';
import { ROOT } from '../../src/host/script.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { KubeClient, orNothing } from '../../src/kube/client.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { busyboxImage } from '../../src/tool/images.ts';
import { untilAccount, untilLive } from '../../src/tool/ready.ts';
import { DEFAULTS, locate } from '../../src/tool/settings.ts';
import { bringUp } from '../../src/tool/up.ts';
import { foldersOf, librariesOf } from '../support/linked.ts';
import { type Guest, jointOf } from './joined.ts';
import { type Interval, ratioOf } from './pairs.ts';

/** Beside whatever else runs on the machine. */
const CLUSTER = 'clobenchnet';
const NS = 'bench';
const IMAGE = 'cloister/flow:1';
const FILTERED_PORT = 9000;
const BRIDGED_PORT = 9001;
/** Long enough for a few figures under emulation, short enough for kubelets not to be missed by anybody. */
const TURN_MS = 9_000;
const LIMIT_MS = 300_000;

/** What was measured of one way between the guests: medians. */
interface WayReport {
  /** Set-up of a connection, in microseconds. */
  readonly setUpMicros: number;
  /** Gigabits per second of one connection. */
  readonly gigabits: number;
}

/** The filtered way beside the bridge; ratios are filtered to bridged, by pairs of turns. */
export interface GuestPaths {
  readonly filtered: WayReport;
  readonly bridged: WayReport;
  readonly pairs: number;
  readonly setUp: Interval;
  readonly throughput: Interval;
}

/** What `flow.ts` consists of, as the compiler writes it. */
const PROGRAM = ['test/bench/flow.js', 'src/core/statistics.js'] as const;

/** `flow.ts` as JavaScript, and the Node.js of this host to run it. */
const publishFlow = async ({ state, registry }: Cluster): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-flow-'));
  try {
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    const flags = ['--rewriteRelativeImportExtensions', '--rootDir', '.'];
    const options = ['--ignoreConfig', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
    await exec(tsc, [...options, ...flags, '--outDir', folder, 'test/bench/flow.ts'], { cwd: ROOT });
    const node = process.execPath;
    const files = [node, ...(await librariesOf([node]))];
    const programs = PROGRAM.map((path) => `/flow/${path}`);
    const { entries, run } = await busyboxImage();
    await publishImage(state, registry, IMAGE, {
      entries: [
        ...entries,
        ...foldersOf([...files, ...programs]),
        ...files.map((path): Entry => ({ type: 'copy', path, from: path })),
        ...PROGRAM.map((path): Entry => ({ type: 'copy', path: `flow/${path}`, from: join(folder, path) })),
        { type: 'file', path: 'flow/package.json', content: '{"type": "module"}' },
      ],
      run: { ...run, Entrypoint: [node, `/flow/${PROGRAM[0]}`] },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** Sixty rules each way, as many as a group can have; the last of them lets the connections pass. */
const group = (): object => {
  const other = (n: number) => ({
    protocol: 'tcp',
    ports: { from: n, to: n },
    peers: [{ cidr: `192.0.2.${n}/32` }],
  });
  const others = (count: number) => Array.from({ length: count }, (_, i) => other(i + 1));
  const everywhere = [{ cidr: '0.0.0.0/0' }];
  const port = (n: number) => ({ protocol: 'tcp', ports: { from: n, to: n }, peers: [{ cidr: VPC_CIDR }] });
  return {
    apiVersion: API_VERSION,
    kind: 'SecurityGroup',
    metadata: { name: NS },
    spec: {
      ingress: [...others(58), port(KUBELET_PORT), port(FILTERED_PORT)],
      egress: [...others(59), { protocol: '-1', peers: everywhere }],
    },
  };
};

const prepareNamespace = async (client: KubeClient): Promise<void> => {
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } },
    group(),
    {
      apiVersion: 'vpcresources.k8s.aws/v1beta1',
      kind: 'SecurityGroupPolicy',
      metadata: { namespace: NS, name: NS },
      spec: { podSelector: {}, securityGroups: { groupIds: [NS] } },
    },
    {
      apiVersion: API_VERSION,
      kind: 'FargateProfile',
      metadata: { name: NS },
      spec: { selectors: [{ namespace: NS }] },
    },
  ];
  await applyManifests(client, objects, 'cloister-bench');
  await untilLive(client, NS);
  await untilAccount(client, NS);
};

const createPod = (client: KubeClient, name: string, args: readonly string[]): Promise<Pod> =>
  client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: NS, name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: `${REGISTRY}/${IMAGE}`,
          args: [...args],
          resources: { requests: { cpu: '1', memory: '1792Mi' } },
        },
      ],
    },
  });

const running = (client: KubeClient, name: string): Promise<unknown> =>
  until(async () => (await client.get(pods, { namespace: NS, name })).status?.phase === 'Running', {
    limitMs: LIMIT_MS,
    what: `pod ${NS}/${name} to run`,
  });

/** The pod's machine, as soon as it has a place. */
const guestOf = async (client: KubeClient, { metadata }: Pod): Promise<Guest> => {
  const name = machineName(metadata.uid ?? '');
  const microVM = await until(() => orNothing(client.get(microVMs, { name })), {
    limitMs: LIMIT_MS,
    what: `${name} to be placed`,
  });
  return { machine: machineOf(microVM), outside: machineNamespace(CLUSTER, name) };
};

interface Sample {
  readonly port: number;
  readonly setUpMicros: number;
  readonly bytesPerSecond: number;
}

/** Samples of one port in a row, as one. */
const turnsOf = (samples: readonly Sample[]): readonly Sample[] => {
  const turns: Sample[][] = [];
  for (const sample of samples) {
    const last = turns.at(-1);
    if (last?.[0]?.port === sample.port) last.push(sample);
    else turns.push([sample]);
  }
  return turns.map((turn) => ({
    port: turn[0]?.port ?? Number.NaN,
    setUpMicros: median(turn.map(({ setUpMicros }) => setUpMicros)),
    bytesPerSecond: median(turn.map(({ bytesPerSecond }) => bytesPerSecond)),
  }));
};

/** A turn that brought no figure makes one pair fewer. @throws RangeError when there is no pair */
const compare = (samples: readonly Sample[]): GuestPaths => {
  const turns = turnsOf(samples);
  const of = (port: number) => turns.filter((turn) => turn.port === port);
  const bridged = of(BRIDGED_PORT);
  const filtered = of(FILTERED_PORT).slice(0, bridged.length);
  const report = (all: readonly Sample[]): WayReport => ({
    setUpMicros: Math.round(median(all.map(({ setUpMicros }) => setUpMicros))),
    gigabits: Math.round(median(all.map(({ bytesPerSecond }) => bytesPerSecond * 8)) / 1e7) / 100,
  });
  const ratio = (what: 'setUpMicros' | 'bytesPerSecond'): Interval =>
    ratioOf(
      filtered.map((turn) => turn[what]),
      bridged.map((turn) => turn[what]),
    );
  return {
    filtered: report(filtered),
    bridged: report(bridged),
    pairs: bridged.length,
    setUp: ratio('setUpMicros'),
    throughput: ratio('bytesPerSecond'),
  };
};

const measure = async (cluster: Cluster, kubectl: string, rounds: number): Promise<GuestPaths> => {
  const client = new KubeClient(loadKubeconfig(cluster.kubeconfig));
  try {
    await publishFlow(cluster);
    await prepareNamespace(client);
    const ports = [`${FILTERED_PORT}`, `${BRIDGED_PORT}`];
    const server = await guestOf(client, await createPod(client, 'server', ['serve', ...ports]));
    const { address } = server.machine.placement;
    const guests = [
      server,
      await guestOf(client, await createPod(client, 'client', ['turns', address, ...ports])),
    ] as const;
    await running(client, 'client');
    const figures = async (): Promise<readonly Sample[]> =>
      (await exec(kubectl, ['logs', '-n', NS, 'client'], { env: { KUBECONFIG: cluster.kubeconfig } }))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Sample);
    await until(async () => (await figures()).length > 0, {
      limitMs: LIMIT_MS,
      what: 'the first figures of the client',
    });
    const bridge = await jointOf(`${CLUSTER}-bridge`, guests, BRIDGED_PORT);
    for (let round = 0; round < rounds; round += 1) {
      await sleep(TURN_MS);
      await bridge.join();
      await sleep(TURN_MS);
      await bridge.part();
    }
    await bridge.remove();
    return compare(await figures());
  } finally {
    await client.close();
  }
};

/** Measures in a cluster of its own, in so many pairs of turns. @param components folder of the programs */
export const guestPaths = async (
  components: string,
  rounds: number,
  onProgress: OnProgress,
): Promise<GuestPaths> => {
  try {
    const flags = { ...DEFAULTS, name: CLUSTER, nodes: false, apiPort: 0, components };
    const { cluster } = await bringUp(flags, onProgress);
    return await measure(cluster, join(components, 'kubectl'), rounds);
  } finally {
    await stopCluster(locate(CLUSTER));
  }
};
