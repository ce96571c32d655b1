/** The cluster as `plan`, `why` and `doctor` see it, read from the API server; `told-surroundings.ts` has it from files. */
import type { MicroVM } from '../api/micro-vm.ts';
import type { Network } from '../api/network.ts';
import {
  configMaps,
  fargateProfiles,
  microVMs,
  namespaces,
  networks,
  nodes,
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  subnets,
} from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import type { SecurityGroupPolicy } from '../api/security-group-policy.ts';
import { FACTS, type Facts, parseFacts } from '../core/facts.ts';
import { machineName } from '../core/machine/microvm.ts';
import { NETWORK } from '../core/net/network.ts';
import { onMachines, onNodes } from '../core/placement/neighbours.ts';
import { Occupancy } from '../core/placement/occupancy.ts';
import { placesIn } from '../core/placement/subnets.ts';
import type { Surroundings } from '../core/plan/plan.ts';
import type { Pod } from '../core/pod.ts';
import type { Claims } from '../core/validation/volumes.ts';
import { ApiError, type KubeClient, orNothing } from '../kube/client.ts';
import { knowledge, liveGroups } from './groups.ts';
import { liveRoles } from './roles.ts';

/** Everything of a cluster that decisions depend on, and what could not be found out. */
export interface Known extends Surroundings {
  readonly microVMs: readonly MicroVM[];
  readonly groupPolicies: readonly SecurityGroupPolicy[];
  /** Whether the subnets are those of the cluster, and none that stand for them. */
  readonly subnetsKnown: boolean;
  readonly notes: readonly string[];
}

type Neighbours = NonNullable<Surroundings['neighbourhood']>;

/** Room that is not known counts as enough. */
const ENOUGH = { memoryMiB: Number.MAX_SAFE_INTEGER, milliCpu: Number.MAX_SAFE_INTEGER };

/** What counts where the cluster tells nothing of itself. */
export const UNKNOWN_FACTS: Facts = { region: 'local-1', capacity: ENOUGH, places: {} };

/** The addresses and the room that machines take. */
export const occupancyOf = (machines: readonly MicroVM[]): Occupancy =>
  new Occupancy(
    machines.map(({ metadata, spec, status }) => [
      metadata.name,
      { ...spec, dead: status?.phase === 'Failed' },
    ]),
  );

interface Claimed {
  readonly claims: readonly PersistentVolumeClaim[];
  readonly volumes: readonly PersistentVolume[];
}

/** Claims and volumes by name. */
export const claimsIn =
  ({ claims, volumes }: Claimed) =>
  (namespace: string): Claims => ({
    claim: (name) =>
      claims.find(
        ({ metadata }) => metadata.name === name && (metadata.namespace ?? 'default') === namespace,
      ),
    volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
  });

const factsOf = async (client: KubeClient): Promise<Facts | undefined> => {
  try {
    return parseFacts((await client.get(configMaps, FACTS)).data);
  } catch (cause) {
    if (cause instanceof ApiError && (cause.status === 403 || cause.status === 404)) return undefined;
    throw cause;
  }
};

/** The facts, with what the Network says of places. */
export const withNetwork = (facts: Facts, network: Network | undefined) => ({
  ...facts,
  network,
  places: placesIn(facts.places, network),
});

/** Whether a group is one of these. */
export const among = (groups: readonly SecurityGroup[]): ((name: string) => boolean) => {
  const names = new Set(groups.map(({ metadata }) => metadata.name));
  return (name) => names.has(name);
};

/** Pods on nodes and on machines whose pod is not bound yet, and the labels of namespaces. */
const neighbourhoodOf = async (client: KubeClient, occupancy: Occupancy): Promise<Neighbours> => {
  const [all, allNodes, allNamespaces] = await Promise.all([
    client.list(pods),
    client.list(nodes),
    client.list(namespaces),
  ]);
  const labels = new Map(allNamespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  const machineOf = ({ metadata }: Pod) => occupancy.get(machineName(metadata.uid ?? ''));
  const elsewhere = all.filter((pod) => machineOf(pod) === undefined);
  return {
    pods: [...onMachines(all, machineOf), ...onNodes(elsewhere, allNodes)],
    namespaceLabels: (name) => labels.get(name) ?? {},
  };
};

/** Reads the cluster. @throws ApiError, ConnectionError */
export const liveSurroundings = async (client: KubeClient): Promise<Known> => {
  const [profiles, allSubnets, network, groups, machines, claims, volumes, facts, known] = await Promise.all([
    client.list(fargateProfiles),
    client.list(subnets),
    orNothing(client.get(networks, { name: NETWORK })),
    liveGroups(client),
    client.list(microVMs),
    client.list(persistentVolumeClaims),
    client.list(persistentVolumes),
    factsOf(client),
    liveRoles(client),
  ]);
  const occupancy = occupancyOf(machines);
  return {
    // A profile that is being deleted takes no more pods.
    profiles: profiles.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    subnets: allSubnets,
    microVMs: machines,
    occupancy,
    neighbourhood: profiles.some(({ spec }) => spec.policy?.topology)
      ? await neighbourhoodOf(client, occupancy)
      : { pods: [], namespaceLabels: () => ({}) },
    claims: claimsIn({ claims, volumes }),
    ...withNetwork(facts ?? UNKNOWN_FACTS, network),
    groupExists: among(groups.groups),
    groups: knowledge({ ...groups, machines }, network),
    groupPolicies: groups.policies,
    roles: known.roles,
    subnetsKnown: true,
    notes: [
      ...(facts === undefined ? ['the room of the hosts is not known and counts as enough'] : []),
      ...known.notes,
    ],
  };
};
