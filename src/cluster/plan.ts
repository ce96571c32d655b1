/** The fixed addresses, names and files of an embedded cluster: decided here and nowhere else. */
import { join } from 'node:path';
import { privateName } from '../core/net/names.ts';

/** The cluster's virtual private cloud: one region with two zones. */
export const VPC_CIDR = '10.42.0.0/16';
export const REGION = 'local-1';
export const ZONES = ['local-1a', 'local-1b'] as const;

/** Private subnets, which give machines their addresses. */
export const SUBNETS = [
  { name: 'private-a', cidr: '10.42.64.0/20', zone: ZONES[0] },
  { name: 'private-b', cidr: '10.42.80.0/20', zone: ZONES[1] },
] as const;

/** Address of the control plane: API server, product, registry and VPC resolver. */
export const CONTROL_ADDRESS = '10.42.0.2';
export const API_PORT = 6443;
/** Where the product listens for the webhooks. */
export const PRODUCT_PORT = 9443;
/** The EKS API: by TLS for pods and for tokens of kubectl, by plain HTTP for the door alone, on the loopback. */
export const EKS_PORT = 9444;
export const EKS_DOOR_PORT = 9480;
/** Account of the cluster in ARNs. */
export const ACCOUNT = '000000000000';
/** The registry, for reading: who is in the network may pull, and change nothing. */
export const REGISTRY_PORT = 5000;
/** Where images are put into it: for the door alone, on the loopback. */
export const REGISTRY_DOOR_PORT = 5001;
export const RESOLVER_PORT = 53;

/** The ordinary node, and the range that its pods get their addresses from. */
export const NODE_ADDRESS = '10.42.0.3';
export const NODE_PODS_CIDR = '10.42.1.0/24';
export const NODE_NAME = privateName(NODE_ADDRESS, REGION);

/** The balancers' addresses, and the first of them, which is that of their namespace. */
export const BALANCERS_CIDR = '10.42.2.0/24';
export const BALANCERS_ADDRESS = '10.42.2.1';

/** Who issues service-account tokens. */
export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export const SERVICES_CIDR = '10.96.0.0/16';
/** The `kubernetes` service: the first address of the range. */
export const KUBERNETES_SERVICE_ADDRESS = '10.96.0.1';
export const DNS_SERVICE_ADDRESS = '10.96.0.10';
export const CLUSTER_DOMAIN = 'cluster.local';

/** How every node and manifest names the registry. */
export const REGISTRY_NAME = 'registry.cloister.internal';
export const REGISTRY = `${REGISTRY_NAME}:${REGISTRY_PORT}`;

/** Name of a cluster for which none is given. */
export const DEFAULT_NAME = 'cloister';

/** The API server as programs inside the cluster's network reach it. */
export const API_SERVER = `https://${CONTROL_ADDRESS}:${API_PORT}`;

/** The product as the API server reaches it. */
export const PRODUCT_URL = `https://${CONTROL_ADDRESS}:${PRODUCT_PORT}`;

/**
 * Checks a cluster's name. Without hyphens, so that everything that begins with `NAME-` belongs to exactly
 * one cluster; short, because interface names are derived from it (15 characters, Linux IFNAMSIZ).
 * @throws Error that says what a name looks like
 */
export const requireName = (name: string): void => {
  if (/^[a-z][a-z0-9]{0,11}$/.test(name)) return;
  throw new Error(`"${name}" cannot name a cluster: use 1 to 12 of a-z and 0-9, a letter first`);
};

/** Network namespaces of a cluster besides those of its machines. */
export const namespaces = (
  name: string,
): { router: string; control: string; node: string; balancer: string } => ({
  router: `${name}-router`,
  control: `${name}-control`,
  node: `${name}-node`,
  balancer: `${name}-balancer`,
});

/** Control group of the ordinary node and its pods, by its name below each hierarchy's root. */
export const nodeControlGroup = (name: string): string => `${name}-node`;

/** Control group of a cluster's machines, as the local provider names it (`compute/local/cgroup.ts`). */
export const machinesControlGroup = (name: string): string => `cloister/${name}`;

/** Files and folders of a cluster below its state folder. */
export const places = (state: string) => ({
  /** What the cluster was started with, and the ports it took. */
  record: join(state, 'cluster.json'),
  pki: join(state, 'pki'),
  logs: join(state, 'logs'),
  /** Process records of `host/process.ts`. */
  pids: join(state, 'pids'),
  etcd: join(state, 'etcd'),
  registry: join(state, 'registry'),
  images: join(state, 'images'),
  config: join(state, 'config'),
  node: join(state, 'node'),
  /** For people: by way of 127.0.0.1. */
  adminKubeconfig: join(state, 'kubeconfig'),
  /** For the product, inside NAME-control. */
  productKubeconfig: join(state, 'config', 'product.conf'),
  /** Configuration, sockets and log of the balancers. */
  balancer: join(state, 'balancer'),
  /** Directories of machines. */
  machines: join(state, 'machines'),
  /** How the API server asks whose a token of `aws eks get-token` is. */
  authenticator: join(state, 'config', 'authenticator.conf'),
  auditLog: join(state, 'logs', 'audit.log'),
});
