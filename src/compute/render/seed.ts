/** The files that make a booted guest the node of one pod. Pure. */
import { type Machine, NODE_MEMORY_MIB, vcpus } from '../../core/machine/machine.ts';
import { KUBELET_PORT } from '../../core/machine/node.ts';

import type { HostPort } from '../../core/machine/opened.ts';

import type { ImageCredential } from '../../core/roles/pulls.ts';

import { STORAGE_RESERVE_GIB } from '../../core/sizing/size.ts';
import type { Rlimits } from '../../core/validation/policy.ts';
import type { Seed } from '../provider.ts';

/** What every machine of a cluster is told. */
export interface ClusterFacts {
  /** URL of the API server as machines reach it, `https://10.42.0.2:6443`. */
  readonly server: string;
  /** PEM certificate of the cluster's authority: signs the API server and the clients of kubelets. */
  readonly ca: string;
  /** Address of the cluster's DNS service. */
  readonly clusterDns: string;
  readonly clusterDomain: string;
  /** Address of the VPC resolver, for the node itself and pods of DNS policy `Default`. */
  readonly resolver: string;
  /** Registries that are reached in another way than by https under their own name. */
  readonly registries: readonly { readonly host: string; readonly endpoint: string }[];
}

/** A certificate chain and its key, PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** What a node proves itself with; all of it expires within the hour and is renewed by `renewalFiles`. */
export interface Credentials {
  /** `system:node:<name>`, client usage. */
  readonly client: KeyPair;
  /** For the kubelet's server, on the machine's address and name. */
  readonly serving: KeyPair;
  /** Bound service-account token of kube-proxy. */
  readonly proxyToken: string;
  /** For the images of registries that ask who pulls; for the node alone, no container has them. */
  readonly images: readonly ImageCredential[];
}

/** A machine on its way to be a node. */
export interface SeedInputs {
  readonly machine: Machine;
  readonly nodeName: string;
  readonly cluster: ClusterFacts;
  readonly credentials: Credentials;
}

/** Limits of every container in the original (spec/fargate.md §8). */
const RLIMIT = { soft: 1024, hard: 65535 } as const;

const GIB_IN_KIB = 1024 * 1024;

type Files = Record<string, { content: string; mode: number }>;

const PATHS = {
  ca: '/etc/kubernetes/pki/ca.crt',
  client: '/etc/kubernetes/pki/kubelet-client.pem',
  serving: '/etc/kubernetes/pki/kubelet-serving.pem',
  proxyToken: '/etc/kubernetes/kube-proxy.token',
  /** Printed by the guest's `credentials/pod-execution-role`. */
  images: '/etc/kubernetes/image-credentials.json',
  /** Where there is one, the kubelet is started with it. */
  imageProvider: '/etc/kubernetes/image-credential-provider.yaml',
} as const;

/**
 * Only the credentials. Certificate and key share one file, so that a renewal replaces both in one rename: the
 * kubelet's watcher and client-go's reload never see a pair that does not match.
 */
export const renewalFiles = (credentials: Credentials): Seed => ({
  files: {
    [PATHS.client]: secret(`${credentials.client.certificate.trim()}\n${credentials.client.key}`),
    [PATHS.serving]: secret(`${credentials.serving.certificate.trim()}\n${credentials.serving.key}`),
    [PATHS.proxyToken]: secret(credentials.proxyToken),
    ...(credentials.images.length === 0 ? {} : { [PATHS.images]: imageAnswer(credentials.images) }),
  },
});

/** CredentialProviderResponse v1; what it says counts for one pull, so that a renewal counts at once. */
const imageAnswer = (images: readonly ImageCredential[]) =>
  secret(
    JSON.stringify({
      kind: 'CredentialProviderResponse',
      apiVersion: CREDENTIAL_PROVIDER,
      cacheKeyType: 'Image',
      cacheDuration: '0s',
      auth: Object.fromEntries(images.map(({ host, username, password }) => [host, { username, password }])),
    }),
  );

const CREDENTIAL_PROVIDER = 'credentialprovider.kubelet.k8s.io/v1';

/** CredentialProviderConfig v1: the guest's program answers for these registries. */
const imageProvider = (images: readonly ImageCredential[]) => ({
  apiVersion: 'kubelet.config.k8s.io/v1',
  kind: 'CredentialProviderConfig',
  providers: [
    {
      name: 'pod-execution-role',
      apiVersion: CREDENTIAL_PROVIDER,
      matchImages: images.map(({ host }) => host),
      defaultCacheDuration: '0s',
    },
  ],
});

/** The vCPU fraction as cgroup v2 wants it (kernel doc cgroup-v2, cpu.max): microseconds per 100 ms. */
export const limitFiles = (machine: Machine): Seed => {
  const { milliCpu } = machine.size;
  const whole = milliCpu === vcpus(machine.size) * 1000;
  return { files: { '/etc/cloister/cpu.max': plain(`${whole ? 'max' : milliCpu * 100} 100000\n`) } };
};

/** Everything for a first seed. */
export const seedFiles = (inputs: SeedInputs): Seed => {
  const { machine, nodeName, cluster, credentials } = inputs;
  const files: Files = {
    '/etc/cloister/env': plain(environment(machine, nodeName)),
    '/etc/resolv.conf': plain(`nameserver ${cluster.resolver}\n`),
    [PATHS.ca]: plain(cluster.ca),
    '/etc/kubernetes/kubelet.yaml': yaml(kubelet(cluster, machine.opened?.sysctls)),
    '/etc/kubernetes/kubelet.kubeconfig': yaml(
      kubeconfig(cluster, { 'client-certificate': PATHS.client, 'client-key': PATHS.client }),
    ),
    '/etc/kubernetes/kube-proxy.yaml': yaml(kubeProxy(nodeName)),
    '/etc/kubernetes/kube-proxy.kubeconfig': yaml(kubeconfig(cluster, { tokenFile: PATHS.proxyToken })),
  };
  const { images } = credentials;
  if (images.length > 0) files[PATHS.imageProvider] = yaml(imageProvider(images));
  for (const { host, endpoint } of [...cluster.registries, ...images]) {
    if (endpoint === undefined) continue;
    files[`/etc/containerd/certs.d/${host}/hosts.toml`] = plain(
      `server = "${endpoint}"\n[host."${endpoint}"]\ncapabilities = ["pull", "resolve"]\n`,
    );
  }
  const { rlimits, hostPorts } = machine.opened ?? {};
  if (hostPorts !== undefined)
    files['/etc/cloister/hostports.nft'] = plain(hostPortRules(machine.placement.address, hostPorts));
  if (rlimits !== undefined)
    files['/etc/cloister/rlimits'] = plain(`${JSON.stringify(ociRlimits(rlimits))}\n`);
  return { files: { ...files, ...renewalFiles(credentials).files } };
};

const plain = (content: string) => ({ content, mode: 0o644 });
const secret = (content: string) => ({ content, mode: 0o600 });
/** JSON is YAML, and needs no library to be written. */
const yaml = (value: unknown) => plain(`${JSON.stringify(value, null, 2)}\n`);

/** Limits of the original (spec/fargate.md §8), and what the profile has in their place. */
const ociRlimits = ({ nofile, nproc }: Rlimits): readonly object[] => [
  { type: 'RLIMIT_NOFILE', ...RLIMIT, ...nofile },
  { type: 'RLIMIT_NPROC', ...RLIMIT, ...nproc },
];

/** Translates ports in the guest: both are ports of one address, so nothing else of a packet changes. */
const hostPortRules = (address: string, ports: readonly HostPort[]): string => {
  const rules = ports.map(
    ({ protocol, hostPort, containerPort }) =>
      `    ip daddr ${address} ${protocol} dport ${hostPort} dnat to ${address}:${containerPort}\n`,
  );
  const chain = `  chain prerouting {\n    type nat hook prerouting priority dstnat\n${rules.join('')}  }\n`;
  return `table ip hostports\ndelete table ip hostports\ntable ip hostports {\n${chain}}\n`;
};

/**
 * Shell variables for the guest's scripts. Allocatable memory is what the pod was provisioned less the node's
 * share (spec/fargate.md §4.2 step 4); allocatable CPU is the vCPU fraction; allocatable storage is what the pod
 * asked for. The guest reserves what its capacity exceeds them by.
 */
const environment = (machine: Machine, nodeName: string): string =>
  [
    `NODE_NAME=${nodeName}`,
    `ADDRESS=${machine.placement.address}`,
    `POD_UID=${machine.pod.uid}`,
    `ALLOCATABLE_KIB=${(machine.size.memoryMiB - NODE_MEMORY_MIB) * 1024}`,
    `ALLOCATABLE_STORAGE_KIB=${(machine.size.storageGiB - STORAGE_RESERVE_GIB) * GIB_IN_KIB}`,
    `STORAGE_THRESHOLD_KIB=${GIB_IN_KIB}`,
    `RESERVED_CPU=${vcpus(machine.size) * 1000 - machine.size.milliCpu}m`,
    `HOST_NETWORK=${machine.opened?.hostNetwork === true}`,
    '',
  ].join('\n');

/**
 * All sysctls that belong to the namespaces of a pod (kubelet flag `--allowed-unsafe-sysctls`; it takes no
 * others).
 */
const NAMESPACED_SYSCTLS = ['kernel.shm*', 'kernel.msg*', 'kernel.sem', 'fs.mqueue.*', 'net.*'];

/** KubeletConfiguration v1beta1; the memory reservation is added in the guest, which alone knows its total. */
const kubelet = (cluster: ClusterFacts, sysctls = false) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  registerNode: false,
  port: KUBELET_PORT,
  readOnlyPort: 0,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: PATHS.ca },
  },
  authorization: { mode: 'Webhook' },
  serverTLSBootstrap: false,
  rotateCertificates: false,
  tlsCertFile: PATHS.serving,
  tlsPrivateKeyFile: PATHS.serving,
  containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
  cgroupDriver: 'cgroupfs',
  // The pod may use what it was provisioned and no more, also when it has no limits (spec/fargate.md §4.3).
  enforceNodeAllocatable: ['pods'],
  // Memory has no threshold: allocatable would fall below the pod's request. The disk keeps the usual ones.
  evictionHard: {
    'memory.available': '0%',
    'nodefs.available': `${GIB_IN_KIB}Ki`,
    'nodefs.inodesFree': '5%',
    'imagefs.available': `${GIB_IN_KIB}Ki`,
  },
  failSwapOn: false,
  maxPods: 1,
  clusterDNS: [cluster.clusterDns],
  clusterDomain: cluster.clusterDomain,
  resolvConf: '/etc/resolv.conf',
  // One pod pulls its images once: nothing is gained by one after the other.
  serializeImagePulls: false,
  ...(sysctls && { allowedUnsafeSysctls: NAMESPACED_SYSCTLS }),
});

/** An address that no machine has (RFC 5737): node ports are served nowhere, all ports of the address are the pod's. */
const NOWHERE = '192.0.2.1/32';

/** KubeProxyConfiguration v1alpha1. */
const kubeProxy = (nodeName: string) => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  hostnameOverride: nodeName,
  clientConnection: { kubeconfig: '/etc/kubernetes/kube-proxy.kubeconfig' },
  detectLocalMode: 'InterfaceNamePrefix',
  detectLocal: { interfaceNamePrefix: 'pod0' },
  nodePortAddresses: [NOWHERE],
  healthzBindAddress: '127.0.0.1:10256',
  metricsBindAddress: '127.0.0.1:10249',
});

const kubeconfig = (cluster: ClusterFacts, user: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'cluster', cluster: { server: cluster.server, 'certificate-authority': PATHS.ca } }],
  users: [{ name: 'node', user }],
  contexts: [{ name: 'node', context: { cluster: 'cluster', user: 'node' } }],
  'current-context': 'node',
});
