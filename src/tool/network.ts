/** The network of an embedded cluster as objects: made once, and from then on whoever administers it changes them. */
import { createHash } from 'node:crypto';
import type { Network } from '../api/network.ts';
import { networks, securityGroups } from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import {
  API_PORT,
  BALANCERS_CIDR,
  CONTROL_ADDRESS,
  NODE_ADDRESS,
  NODE_PODS_CIDR,
  REGISTRY_PORT,
  RESOLVER_PORT,
  VPC_CIDR,
} from '../cluster/plan.ts';
import { tenHex } from '../core/hash.ts';
import { API_VERSION } from '../core/names.ts';
import { NETWORK } from '../core/net/network.ts';
import { createOnce } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';

const EVERYWHERE = '0.0.0.0/0';
const HTTPS_PORT = 443;

/** Name of the cluster security group, in the form of the original: `eks-cluster-sg-NAME-` and ten digits. */
export const clusterGroupName = (cluster: string): string => {
  const digits = createHash('sha256').update(cluster).digest().readBigUInt64BE() % 10n ** 10n;
  return `eks-cluster-sg-${cluster}-${digits.toString().padStart(10, '0')}`;
};

/**
 * Name of the balancers' security group, in the form of the original's shared one. Groups of pods behind a
 * balancer admit it.
 */
const balancersGroupName = (cluster: string): string => `k8s-traffic-${cluster}-${tenHex(cluster)}`;

const balancersGroup = (cluster: string): SecurityGroup => ({
  apiVersion: API_VERSION,
  kind: 'SecurityGroup',
  metadata: { name: balancersGroupName(cluster) },
  spec: {
    description: 'Where balanced connections and health checks come from',
    addresses: [BALANCERS_CIDR],
    ingress: [{ protocol: '-1', peers: [{ cidr: EVERYWHERE }] }],
    egress: [{ protocol: '-1', peers: [{ cidr: EVERYWHERE }] }],
  },
});

/** All from itself comes in, all goes out (spec/fargate.md §6); control plane and ordinary node belong to it. */
const clusterGroup = (cluster: string): SecurityGroup => ({
  apiVersion: API_VERSION,
  kind: 'SecurityGroup',
  metadata: { name: clusterGroupName(cluster) },
  spec: {
    description: 'EKS created security group applied to the control plane, nodes and pods',
    addresses: [`${CONTROL_ADDRESS}/32`, `${NODE_ADDRESS}/32`, NODE_PODS_CIDR],
    ingress: [
      { protocol: '-1', peers: [{ self: true }] },
      { protocol: 'tcp', peers: [{ group: balancersGroupName(cluster) }], description: 'balancers' },
    ],
    egress: [{ protocol: '-1', peers: [{ cidr: EVERYWHERE }] }],
  },
});

const only = (port: number): { readonly from: number; readonly to: number } => ({ from: port, to: port });

const network = (cluster: string, egress: boolean): Network => {
  const control = `${CONTROL_ADDRESS}/32`;
  return {
    apiVersion: API_VERSION,
    kind: 'Network',
    metadata: { name: NETWORK },
    spec: {
      cidrs: [VPC_CIDR],
      resolvers: [CONTROL_ADDRESS],
      clusterSecurityGroup: clusterGroupName(cluster),
      node: {
        egress: [
          { cidr: control, protocol: 'tcp', ports: only(API_PORT), description: 'API server' },
          { cidr: control, protocol: 'tcp', ports: only(REGISTRY_PORT), description: 'registry' },
          { cidr: control, protocol: 'udp', ports: only(RESOLVER_PORT), description: 'resolver' },
          { cidr: control, protocol: 'tcp', ports: only(RESOLVER_PORT), description: 'resolver' },
          // Registries outside; a closed cluster has none.
          ...(egress
            ? [
                {
                  cidr: EVERYWHERE,
                  except: [VPC_CIDR],
                  protocol: 'tcp',
                  ports: only(HTTPS_PORT),
                  description: 'registries outside',
                },
              ]
            : []),
        ],
        kubeletClients: [
          { cidr: control },
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
            podSelector: { matchLabels: { 'k8s-app': 'metrics-server' } },
          },
        ],
      },
    },
  };
};

/** Makes what is missing of the network, and leaves alone what is there. @param egress whether there is a way out */
export const installNetwork = async (client: KubeClient, cluster: string, egress: boolean): Promise<void> => {
  await createOnce(client, securityGroups, balancersGroup(cluster));
  await createOnce(client, securityGroups, clusterGroup(cluster));
  await createOnce(client, networks, network(cluster, egress));
};
