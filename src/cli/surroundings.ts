/** The cluster as `plan` and `why` see it: read from the API server, or told by files. */

import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Network } from '../api/network.ts';
import type { PodExecutionRole } from '../api/pod-execution-role.ts';
import type { PrefixList } from '../api/prefix-list.ts';
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
  type ServiceAccount,
  subnets,
} from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import type { SecurityGroupPolicy } from '../api/security-group-policy.ts';
import type { Subnet } from '../api/subnet.ts';
import { EKS_FACTS, parseEksFacts } from '../core/eks/facts.ts';
import { FACTS, type Facts, parseFacts } from '../core/facts.ts';
import { machineName } from '../core/machine/microvm.ts';
import { API_VERSION } from '../core/names.ts';
import { NETWORK } from '../core/net/network.ts';
import { onMachines, onNodes } from '../core/placement/neighbours.ts';
import { Occupancy } from '../core/placement/occupancy.ts';
import { placesIn } from '../core/placement/subnets.ts';
import type { Surroundings } from '../core/plan/plan.ts';
import type { Pod } from '../core/pod.ts';
import type { Claims } from '../core/validation/volumes.ts';
import { ApiError, type KubeClient, orNothing } from '../kube/client.ts';
import type { Document } from './documents.ts';
import { knowledge, liveGroups } from './groups.ts';
import { liveRoles, withRolesOf } from './roles.ts';

/** Everything of a cluster that decisions depend on, and what could not be found out. */
export interface Known extends Surroundings {
  readonly microVMs: readonly MicroVM[];
  readonly groupPolicies: readonly SecurityGroupPolicy[];
  readonly notes: readonly string[];
}

type Neighbours = NonNullable<Surroundings['neighbourhood']>;

/** Room that is not known counts as enough. */
const ENOUGH = { memoryMiB: Number.MAX_SAFE_INTEGER, milliCpu: Number.MAX_SAFE_INTEGER };

const UNKNOWN_FACTS: Facts = { region: 'local-1', capacity: ENOUGH, places: {} };

const occupancyOf = (machines: readonly MicroVM[]): Occupancy =>
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

const claimsIn =
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

const withNetwork = (facts: Facts, network: Network | undefined) => ({
  ...facts,
  network,
  places: placesIn(facts.places, network),
});

const among = (groups: readonly SecurityGroup[]): ((name: string) => boolean) => {
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
    notes: [
      ...(facts === undefined ? ['the room of the hosts is not known and counts as enough'] : []),
      ...known.notes,
    ],
  };
};

const ofKind = <T>(documents: readonly Document[], kind: string): readonly T[] =>
  documents.filter((document) => document['kind'] === kind) as unknown as readonly T[];

/** A profile as the EKS API describes it (spec/fargate.md §1.1), as one of ours. */
const fromEks = (document: Document): readonly FargateProfile[] => {
  const profile = document['fargateProfile'] as
    | { fargateProfileName: string; selectors: FargateProfile['spec']['selectors']; subnets?: string[] }
    | undefined;
  if (profile === undefined) return [];
  const { fargateProfileName: name, selectors, subnets: named } = profile;
  return [{ metadata: { name }, spec: { selectors, ...(named && { subnets: named }) } }];
};

/** Stands for subnets of which only the name is known: with room for every machine. */
const assumed =
  (network: Network | undefined) =>
  (name: string, index: number): Subnet => ({
    apiVersion: API_VERSION,
    kind: 'Subnet',
    metadata: { name },
    spec: {
      cidr: network?.spec.cidrs[0] ?? `10.${index % 256}.0.0/16`,
      zone: 'local-1a',
      type: 'private',
    },
  });

const checkProfiles = (profiles: readonly FargateProfile[]): void => {
  for (const { metadata, spec } of profiles) {
    const good =
      Array.isArray(spec?.selectors) && spec.selectors.every((s) => typeof s?.namespace === 'string');
    if (typeof metadata?.name !== 'string' || !good)
      throw new Error(
        `FargateProfile ${metadata?.name ?? 'without a name'}: spec.selectors needs namespaces`,
      );
  }
};

/**
 * A cluster as files tell of it: FargateProfiles, ours or as `aws eks describe-fargate-profile` prints them;
 * and Subnets, MicroVMs, claims and volumes where they matter. What is not there counts as no obstacle.
 * @throws Error when there is no profile, or one is malformed
 */
export const toldSurroundings = (documents: readonly Document[]): Known => {
  const profiles = [...ofKind<FargateProfile>(documents, 'FargateProfile'), ...documents.flatMap(fromEks)];
  if (profiles.length === 0) throw new Error('the profiles file has no FargateProfile');
  checkProfiles(profiles);
  const told = ofKind<Subnet>(documents, 'Subnet');
  const names = [...new Set(profiles.flatMap(({ spec }) => spec.subnets ?? ['any']))];
  const machines = ofKind<MicroVM>(documents, 'MicroVM');
  const groups = {
    groups: ofKind<SecurityGroup>(documents, 'SecurityGroup'),
    prefixLists: ofKind<PrefixList>(documents, 'PrefixList'),
    policies: ofKind<SecurityGroupPolicy>(documents, 'SecurityGroupPolicy'),
    accounts: ofKind<ServiceAccount>(documents, 'ServiceAccount'),
    dns: [],
  };
  const [network] = ofKind<Network>(documents, 'Network');
  const configs = ofKind<{ metadata: { name: string }; data?: Record<string, string> }>(
    documents,
    'ConfigMap',
  );
  const toldBy = (name: string) => configs.find(({ metadata }) => metadata.name === name)?.data;
  const eks = parseEksFacts(toldBy(EKS_FACTS.name));
  return {
    profiles,
    subnets: told.length > 0 ? told : names.map(assumed(network)),
    microVMs: machines,
    occupancy: occupancyOf(machines),
    neighbourhood: { pods: [], namespaceLabels: () => ({}) },
    claims: claimsIn({
      claims: ofKind<PersistentVolumeClaim>(documents, 'PersistentVolumeClaim'),
      volumes: ofKind<PersistentVolume>(documents, 'PersistentVolume'),
    }),
    ...withNetwork(parseFacts(toldBy(FACTS.name)) ?? UNKNOWN_FACTS, network),
    ...(eks && {
      roles: { ...eks, roles: ofKind<PodExecutionRole>(documents, 'PodExecutionRole'), mapRoles: undefined },
    }),
    ...(groups.groups.length > 0 && { groupExists: among(groups.groups) }),
    groups: knowledge({ ...groups, machines }, network),
    groupPolicies: groups.policies,
    notes: told.length > 0 ? [] : ['subnets are not known and count as having room'],
  };
};

/** The same cluster, once the objects of a manifest are there, too. */
export const withManifest = (near: Known, documents: readonly Document[], namespace: string): Known => {
  const claims = ofKind<PersistentVolumeClaim>(documents, 'PersistentVolumeClaim').map((claim) => ({
    ...claim,
    metadata: { namespace, ...claim.metadata },
  }));
  const own = claimsIn({ claims, volumes: ofKind<PersistentVolume>(documents, 'PersistentVolume') });
  const profiles = ofKind<FargateProfile>(documents, 'FargateProfile');
  checkProfiles(profiles);
  const replaced = new Set(profiles.map(({ metadata }) => metadata.name));
  return {
    ...near,
    roles: withRolesOf(near.roles, ofKind<PodExecutionRole>(documents, 'PodExecutionRole'), profiles),
    profiles: [...near.profiles.filter(({ metadata }) => !replaced.has(metadata.name)), ...profiles],
    claims: (at) => ({
      claim: (name) => near.claims(at).claim(name) ?? own(at).claim(name),
      volume: (name) => near.claims(at).volume(name) ?? own(at).volume(name),
    }),
  };
};
