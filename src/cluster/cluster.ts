/** Starting, stopping and describing an embedded cluster. Every call may be interrupted and repeated. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeBalancerNetwork } from '../compute/local/balancer.ts';
import { attach, createRouter, route } from '../compute/local/router.ts';
import { cacheFolder } from '../host/folders.ts';
import { addNamespace, inNamespace, namespaceExists } from '../host/namespace.ts';
import { livePid, startDaemon } from '../host/process.ts';
import { type OnProgress, silent, step } from '../host/progress.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';
import { installBasics, publishBasics, waitForDns, waitForNode } from './basics.ts';
import { componentVersions, requireServed, useComponents } from './components.ts';
import {
  logFile,
  pidFile,
  prepareControl,
  startControllers,
  startServers,
  waitForApi,
  waitForRegistry,
} from './control.ts';
import { openDoor } from './door.ts';
import { ensureControlGroup, removeControlGroup } from './groups.ts';
import { nodeCommand, nodeFiles } from './node.ts';
import { registryProgram } from './packages.ts';
import { writeKubeconfig } from './pki.ts';
import {
  API_PORT,
  BALANCERS_ADDRESS,
  BALANCERS_CIDR,
  CONTROL_ADDRESS,
  EKS_DOOR_PORT,
  NODE_ADDRESS,
  NODE_PODS_CIDR,
  namespaces,
  nodeControlGroup,
  places,
  REGISTRY_DOOR_PORT,
  requireName,
  VPC_CIDR,
} from './plan.ts';
import { checkHost } from './probe.ts';
import { type ClusterRecord, readRecord, requireSame, withLock, writeRecord } from './record.ts';

/** How a cluster is started. */
export interface ClusterOptions {
  readonly name: string;
  /** Kubernetes minor, `1.36`. */
  readonly kubernetesVersion: string;
  /** With the ordinary node. */
  readonly nodes: boolean;
  /** Pods reach what lies outside the cluster. */
  readonly egress: boolean;
  /** Folder of the built programs. */
  readonly components: string;
  /** State folder; its parent may hold other clusters' folders. */
  readonly state: string;
  /** Port of the API server on 127.0.0.1. By default the one that it had, or any free one. */
  readonly apiPort?: number;
  readonly onProgress?: OnProgress;
}

/** A running cluster as this host sees it. */
export interface Cluster {
  readonly name: string;
  readonly state: string;
  /** Path of an admin kubeconfig that works on this host. */
  readonly kubeconfig: string;
  /** Base URL of the registry on this host. */
  readonly registry: string;
}

/**
 * Starts what does not run of a cluster and waits until it is ready: API server, registry, resolver, and with
 * `nodes` the ordinary node and the cluster DNS.
 * @throws Error in one line that says what is wrong with the machine or the settings; TimeoutError
 */
export const startCluster = async (options: ClusterOptions): Promise<Cluster> => {
  const { name, state, onProgress = silent } = options;
  requireName(name);
  requireServed(options.kubernetesVersion);
  useComponents(options.components, options.kubernetesVersion);
  mkdirSync(dirname(state), { recursive: true, mode: 0o700 });
  await checkHost(dirname(state));
  return withLock(state, async () => {
    const record = settle(options);
    await step(onProgress, 'network', () => makeNetwork(record));
    const cluster = await step(onProgress, 'control plane', () =>
      startControl(record, state, options.apiPort),
    );
    const client = new KubeClient(loadKubeconfig(cluster.kubeconfig));
    try {
      await step(onProgress, 'cluster services', (note) => startServices(record, cluster, client, note));
    } finally {
      await client.close();
    }
    return cluster;
  });
};

/** Decides what the cluster is, and writes it down before anything else exists. */
const settle = (options: ClusterOptions): ClusterRecord => {
  const { name, kubernetesVersion, nodes, egress, components, state } = options;
  const existing = readRecord(state);
  const record = { name, kubernetesVersion, nodes, egress, components, ports: existing?.ports ?? {} };
  if (existing !== undefined) requireSame(existing, record);
  const left = Object.values(namespaces(name)).find(namespaceExists);
  if (existing === undefined && left !== undefined) {
    throw new Error(
      `the network namespace ${left} was left by another run: remove it with \`./tool down --name ${name}\``,
    );
  }
  mkdirSync(state, { recursive: true, mode: 0o700 });
  writeRecord(state, record);
  return record;
};

const makeNetwork = async ({ name, nodes, egress }: ClusterRecord): Promise<void> => {
  const { router, control, node, balancer } = namespaces(name);
  await createRouter({ name: router, network: VPC_CIDR, egress });
  await addNamespace(control);
  await attach({ router, namespace: control, address: CONTROL_ADDRESS });
  const balancers = { address: BALANCERS_ADDRESS, cidr: BALANCERS_CIDR };
  await makeBalancerNetwork({ router, namespace: balancer, ...balancers });
  if (!nodes) return;
  await addNamespace(node);
  await attach({ router, namespace: node, address: NODE_ADDRESS });
  await route({ router, cidr: NODE_PODS_CIDR, via: NODE_ADDRESS });
};

/** Opens the door. The API server keeps the port that it had, so that kubeconfigs stay good, unless told otherwise. */
const openWays = (record: ClusterRecord, state: string, apiPort = 0): Promise<ClusterRecord['ports']> => {
  const port = apiPort || (record.ports['api'] ?? 0);
  const ways = [
    { name: 'api', port, target: `${CONTROL_ADDRESS}:${API_PORT}` },
    { name: 'registry', port: 0, target: `127.0.0.1:${REGISTRY_DOOR_PORT}` },
    { name: 'eks', port: 0, target: `127.0.0.1:${EKS_DOOR_PORT}` },
  ];
  const { control } = namespaces(record.name);
  const place = { namespace: control, logFile: logFile(state, 'door'), pidFile: pidFile(state, 'door') };
  return openDoor(ways, place, record.ports);
};

/** Starts all programs, the ordinary node's too, and waits until the API server and the registry answer. */
const startControl = async (record: ClusterRecord, state: string, apiPort?: number): Promise<Cluster> => {
  const { name, components } = record;
  await prepareControl(state, record.egress);
  const ports = await openWays(record, state, apiPort);
  writeRecord(state, { ...record, ports });
  const cluster = clusterAt(name, state, ports);
  writeKubeconfig(cluster.kubeconfig, places(state).pki, 'admin', `https://127.0.0.1:${ports['api']}`);
  const inputs = { state, components };
  await startServers(name, inputs, await registryProgram(cacheFolder()));
  if (record.nodes) await startNode(name, state, components);
  await Promise.all([waitForApi(state, ports['api'] as number), waitForRegistry(state, cluster.registry)]);
  await startControllers(name, inputs);
  return cluster;
};

const clusterAt = (name: string, state: string, ports: ClusterRecord['ports']): Cluster => ({
  name,
  state,
  kubeconfig: places(state).adminKubeconfig,
  registry: `http://127.0.0.1:${ports['registry']}`,
});

const startNode = async (name: string, state: string, components: string): Promise<void> => {
  const { node, pki } = places(state);
  if (livePid(pidFile(state, 'node')) !== undefined) return;
  // Groups of containers that were killed make the kubelet wait three seconds for each.
  await removeControlGroup(nodeControlGroup(name));
  for (const [path, content] of Object.entries(nodeFiles())) {
    mkdirSync(dirname(join(node, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(node, path), content, { mode: 0o600 });
  }
  writeKubeconfig(join(node, 'kubelet.conf'), pki, 'node');
  writeKubeconfig(join(node, 'kube-proxy.conf'), pki, 'kube-proxy');
  mkdirSync(join(node, 'pki'), { recursive: true, mode: 0o700 });
  for (const file of ['ca.crt', 'node.crt', 'node.key'])
    copyPrivate(join(pki, file), join(node, 'pki', file));
  const groups = ensureControlGroup(nodeControlGroup(name));
  const [program, args] = inNamespace(namespaces(name).node, ...nodeCommand(node, components, groups));
  const log = logFile(state, 'node');
  await startDaemon({
    name: 'the ordinary node',
    program,
    args,
    cwd: '/',
    logFile: log,
    pidFile: pidFile(state, 'node'),
  });
};

const copyPrivate = (from: string, to: string): void =>
  writeFileSync(to, readFileSync(from), { mode: 0o600 });

const startServices = async (
  record: ClusterRecord,
  cluster: Cluster,
  client: KubeClient,
  note: (text: string) => void,
): Promise<void> => {
  const version = componentVersions(record.kubernetesVersion)['coredns'] as string;
  note('images of the cluster');
  await publishBasics(cluster.state, cluster.registry, record.components, version);
  await installBasics(client, version);
  if (!record.nodes) return;
  // The API server still tells what a node said that was killed: only what this one says counts.
  const since = statSync(pidFile(cluster.state, 'node')).mtime;
  note('the ordinary node');
  await waitForNode(client, since);
  note('the cluster DNS');
  await waitForDns(client, since);
};

/** A cluster that was started, whether or not all of it runs. @throws Error when there is none */
export const findCluster = (name: string, state: string): Cluster & { readonly record: ClusterRecord } => {
  const record = readRecord(state);
  if (record === undefined) throw new Error(`there is no cluster ${name}: start it with \`./tool up\``);
  return { ...clusterAt(name, state, record.ports), record };
};
