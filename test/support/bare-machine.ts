/**
 * Machines without guests: the namespace of a machine as `launch` makes it, filter and translations included, with
 * a namespace in the guest's place. Inside, as in a guest, the node's own processes have a link-local address
 * and the pod a namespace of its own with the machine's address. Everything but the virtual machine is real.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../../src/api/network.ts';
import { VPC_CIDR } from '../../src/cluster/plan.ts';
import { machineDirectory } from '../../src/compute/local/directory.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import { localProvider } from '../../src/compute/local/provider.ts';
import { attach, createRouter, detach, removeRouter } from '../../src/compute/local/router.ts';
import type { Provider } from '../../src/compute/provider.ts';
import { GUEST_MAC, NODE_ADDRESS, TAP_MAC } from '../../src/compute/render/link.ts';
import { networkBatch } from '../../src/compute/render/network.ts';
import { ruleset } from '../../src/compute/render/ruleset.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { API_VERSION } from '../../src/core/names.ts';
import { NETWORK } from '../../src/core/net/network.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, inNamespace, ipBatch, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { counterAt } from './filters.ts';
import { component } from './run.ts';

/** Namespaces of one such machine. */
export interface BareMachine {
  readonly machine: Machine;
  /** Where the filter is. */
  readonly outside: string;
  /** The node's own processes: source 169.254.100.1. */
  readonly node: string;
  /** The pod: the machine's address. */
  readonly pod: string;
  remove(): Promise<void>;
}

/** Runs a shell script in a namespace and gives its output. */
export const inside = async (namespace: string, script: string, limitMs = 30_000): Promise<string> => {
  const [program, args] = inNamespace(namespace, 'sh', ['-ec', script]);
  return exec(program, args, { limitMs });
};

const loadRules = async (namespace: string, rules: string): Promise<void> => {
  const [program, args] = inNamespace(namespace, 'nft', ['-f', '-']);
  await exec(program, args, { input: rules });
};

/** What `launch` does, with a veth pair to `node` in the place of a tap. */
const makeOutside = async (machine: Machine, outside: string, node: string): Promise<void> => {
  await loadRules(outside, ruleset(machine.placement.address));
  await exec('ip', [
    ...['-n', outside, 'link', 'add', 'tap0', 'type', 'veth'],
    ...['peer', 'name', 'eth0', 'address', GUEST_MAC, 'netns', node],
  ]);
  await ipBatch(
    outside,
    networkBatch(machine).filter((line) => !line.startsWith('tuntap')),
  );
  await inside(
    outside,
    `cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >conf/all/accept_source_route; echo 0 >conf/all/send_redirects
     echo 1 >conf/eth0/proxy_arp; echo 0 >neigh/eth0/proxy_delay
     echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose
     echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6`,
  );
};

/** What the guest's init and its CNI plugin do. */
const makeInside = async (address: string, node: string, pod: string): Promise<void> => {
  await ipBatch(node, [
    'link set eth0 up',
    `addr add ${NODE_ADDRESS}/32 dev eth0`,
    `neigh replace 169.254.0.1 lladdr ${TAP_MAC} dev eth0 nud permanent`,
    'route add 169.254.0.1 dev eth0 scope link',
    `route add default via 169.254.0.1 dev eth0 src ${NODE_ADDRESS}`,
    `link add pod type veth peer name eth0 netns ${pod}`,
    'addr add 169.254.101.1/32 dev pod',
    'link set pod up',
    `route add ${address}/32 dev pod`,
  ]);
  await inside(node, 'echo 1 >/proc/sys/net/ipv4/ip_forward');
  await ipBatch(pod, [
    'link set eth0 up',
    `addr add ${address}/32 dev eth0`,
    'route add 169.254.101.1 dev eth0 scope link',
    `route add default via 169.254.101.1 dev eth0 src ${address}`,
  ]);
};

/** Where such machines are. */
export interface BareSite {
  readonly cluster: string;
  readonly router: string;
  /** Directory of machine directories. */
  readonly directory: string;
}

/** A router of their own, and a provider that filters them. */
export interface BarePlace extends BareSite {
  readonly provider: Provider;
  /** Makes a namespace with that address behind the router, for whoever is no machine. */
  join(namespace: string, address: string): Promise<void>;
  /** Removes the router, what joined it and the directory, once the machines are gone. */
  end(): Promise<void>;
}

/** The real provider of such a place; it starts no guest there, so it needs no image. */
export const bareProvider = (site: BareSite): Provider => {
  const image = { hash: '', kernel: '', initrd: '', root: '', scratchBase: async () => '' };
  return localProvider({ ...site, image, acceleration: 'tcg' });
};

/** Makes a place. @param cluster prefix of all its namespaces */
export const barePlace = async (cluster: string): Promise<BarePlace> => {
  const site = {
    cluster,
    router: `${cluster}-router`,
    directory: mkdtempSync(join(tmpdir(), `cloister-${cluster}-`)),
  };
  await createRouter({ name: site.router, network: VPC_CIDR, egress: false });
  const joined: string[] = [];
  return {
    ...site,
    provider: bareProvider(site),
    join: async (namespace, address) => {
      joined.push(namespace);
      await addNamespace(namespace);
      await attach({ router: site.router, namespace, address });
    },
    end: async () => {
      for (const namespace of joined) await removeNamespace(namespace);
      await removeRouter(site.router);
      rmSync(site.directory, { recursive: true });
    },
  };
};

/** The Network that bare machines are in; no node of theirs may reach anything. @param group the cluster security group */
export const bareNetwork = (group: string): Network => ({
  apiVersion: API_VERSION,
  kind: 'Network',
  metadata: { name: NETWORK },
  spec: {
    cidrs: [VPC_CIDR],
    resolvers: ['10.42.0.2'],
    clusterSecurityGroup: group,
    node: { egress: [], kubeletClients: [] },
  },
});

/** A machine by the name of its pod, which is its UID, too. */
export const bareMachineOf = (
  name: string,
  namespace: string,
  address: string,
  securityGroups: readonly string[] = [],
): Machine => ({
  name: `vm-${name}`,
  pod: { namespace, name, uid: name },
  profile: namespace,
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet: 'private-a', zone: 'local-1a', region: 'local-1', address },
  securityGroups,
  image: '',
});

/**
 * Makes a machine without a guest, closed.
 * @param guest program that runs as the pod; for as long as it lives, a provider of the same cluster and
 * directory takes the machine for one that runs, and `remove` of that provider ends it
 */
export const bareMachine = async (
  machine: Machine,
  { cluster, router, directory }: BareSite,
  guest: readonly [string, ...string[]],
): Promise<BareMachine> => {
  const outside = machineNamespace(cluster, machine.name);
  const [node, pod] = [`${outside}-node`, `${outside}-pod`];
  const { address } = machine.placement;
  for (const namespace of [outside, node, pod]) await addNamespace(namespace);
  await attach({ router, namespace: outside, address });
  await makeOutside(machine, outside, node);
  await makeInside(address, node, pod);
  const own = machineDirectory(directory, machine.name);
  mkdirSync(own.path, { recursive: true });
  const [program, args] = inNamespace(pod, guest[0], guest.slice(1));
  const logFile = join(own.path, 'guest.log');
  await startDaemon({ name: machine.name, program, args, logFile, pidFile: own.pidFile });
  return {
    machine,
    outside,
    node,
    pod,
    remove: async () => {
      await stopDaemon(own.pidFile);
      await detach({ router, address });
      for (const namespace of [pod, node, outside]) await removeNamespace(namespace);
      rmSync(own.path, { recursive: true, force: true });
    },
  };
};

/**
 * Whether a connection from a namespace to a machine's pod comes about. One without an answer counts only when the
 * machine has counted it as refused by groups; else it is tried again.
 */
export const reaches = async (
  from: string,
  { machine, outside }: BareMachine,
  port: number,
): Promise<boolean> => {
  const refused = () => counterAt(outside, 'group-ingress');
  const connect = `${component('agnhost')} connect --timeout=1s ${machine.placement.address}:${port}`;
  const { reached } = await until(
    async () => {
      const before = await refused();
      const said = await inside(from, `${connect} 2>&1 || true`);
      if (said === '') return { reached: true };
      if (!said.includes('TIMEOUT')) throw new Error(`it said: ${said}`);
      return (await refused()) > before && { reached: false };
    },
    { limitMs: 20_000, what: `${connect} to be answered, or refused by ${machine.name}` },
  );
  return reached;
};
