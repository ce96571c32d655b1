/** The Node object of a machine, made before the machine runs (spec/fargate.md §5). */
import type { Node } from 'kubernetes-types/core/v1.js';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.js';
import { tenHex } from '../hash.ts';
import { COMPUTE_TYPE, COMPUTE_TYPE_FARGATE, MICROVM_ANNOTATION } from '../names.ts';
import { nodeName as nameOfNode, privateName } from '../net/names.ts';
import { STORAGE_RESERVE_GIB } from '../sizing/size.ts';
import { type Machine, NODE_MEMORY_MIB, type Placement, type Size, vcpus } from './machine.ts';

/** Port of the kubelet on the pod's own address (spec/fargate.md §6). */
export const KUBELET_PORT = 10250;

/** Name of the machine's node: `fargate-` and the private name of its address. */
export const nodeNameOf = (machine: Pick<Machine, 'placement'>): string =>
  nameOfNode(machine.placement.address, machine.placement.region);

/**
 * Labels of the node. Besides those of the original, two keep it out of external load balancers' target
 * lists (they reach pods by address) and out of what zone-wide disruption logic counts.
 * @param own labels that the profile gives its nodes; none of them takes the place of another
 */
export const nodeLabels = (
  { address, region, zone }: Placement,
  own: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
  ...own,
  'beta.kubernetes.io/arch': 'amd64',
  'beta.kubernetes.io/os': 'linux',
  [COMPUTE_TYPE]: COMPUTE_TYPE_FARGATE,
  'failure-domain.beta.kubernetes.io/region': region,
  'failure-domain.beta.kubernetes.io/zone': zone,
  'kubernetes.io/arch': 'amd64',
  'kubernetes.io/hostname': privateName(address, region),
  'kubernetes.io/os': 'linux',
  'node.kubernetes.io/exclude-disruption': 'true',
  'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
  'topology.kubernetes.io/region': region,
  'topology.kubernetes.io/zone': zone,
});

/**
 * `aws:///<zone>/<10 hex>-<32 hex>/<node name>`: the first part is constant in a cluster, the second is the
 * pod's UID. Clients read the last segment only (spec/fargate.md §5.1).
 */
export const providerId = (machine: Machine, cluster: string): string =>
  `aws:///${machine.placement.zone}/${tenHex(cluster)}-${machine.pod.uid.replaceAll('-', '')}/${nodeNameOf(machine)}`;

/** CPU as Kubernetes writes it: whole ones plain, fractions in thousandths. */
const cpu = (milli: number): string => (milli % 1000 === 0 ? `${milli / 1000}` : `${milli}m`);

type Amounts = Record<string, string>;

/** What the guest has: whole vCPUs, the provisioned memory and scratch disk, and room for one pod. */
export const nodeCapacity = (size: Size): Amounts => ({
  cpu: cpu(vcpus(size) * 1000),
  'ephemeral-storage': `${size.storageGiB}Gi`,
  'hugepages-1Gi': '0',
  'hugepages-2Mi': '0',
  memory: `${size.memoryMiB}Mi`,
  pods: '1',
});

/**
 * What the pod can have: the vCPU fraction, and memory without the node's 256 MiB. The guest reserves the
 * differences, so that the kubelet arrives at these numbers itself. Never less than the pod's requests.
 */
export const nodeAllocatable = (size: Size): Amounts => ({
  ...nodeCapacity(size),
  cpu: cpu(size.milliCpu),
  'ephemeral-storage': `${size.storageGiB - STORAGE_RESERVE_GIB}Gi`,
  memory: `${size.memoryMiB - NODE_MEMORY_MIB}Mi`,
});

/** Addresses of the node, which its serving certificate has to name. */
export const nodeAddresses = ({ address, region }: Placement) => [
  { type: 'InternalIP', address },
  { type: 'InternalDNS', address: privateName(address, region) },
  { type: 'Hostname', address: privateName(address, region) },
];

/**
 * The node of a machine that is about to start: not Ready until its kubelet says so.
 * @param cluster the cluster's name, for the provider id
 * @param now RFC 3339 time of the Ready condition
 */
export const nodeOf = (machine: Machine, cluster: string, now: string): Node & { metadata: ObjectMeta } => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: nodeNameOf(machine),
    labels: nodeLabels(machine.placement, machine.opened?.nodeLabels),
    annotations: {
      [MICROVM_ANNOTATION]: machine.name,
      'node.alpha.kubernetes.io/ttl': '0',
      'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    },
  },
  spec: {
    providerID: providerId(machine, cluster),
    taints: [{ key: COMPUTE_TYPE, value: COMPUTE_TYPE_FARGATE, effect: 'NoSchedule' }],
  },
  status: {
    addresses: nodeAddresses(machine.placement),
    capacity: nodeCapacity(machine.size),
    allocatable: nodeAllocatable(machine.size),
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'MachineStarting',
        message: 'the machine starts; its kubelet has not reported yet',
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: KUBELET_PORT } },
  },
});
