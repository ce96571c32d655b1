/** The cluster as files tell of it to `plan`: one file in the place of the API server, and what a manifest adds. */
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Network } from '../api/network.ts';
import type { PodExecutionRole } from '../api/pod-execution-role.ts';
import type { PrefixList } from '../api/prefix-list.ts';
import type { PersistentVolume, PersistentVolumeClaim, ServiceAccount } from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import type { SecurityGroupPolicy } from '../api/security-group-policy.ts';
import type { Subnet } from '../api/subnet.ts';
import { EKS_FACTS, parseEksFacts } from '../core/eks/facts.ts';
import { FACTS, parseFacts } from '../core/facts.ts';
import { API_VERSION } from '../core/names.ts';
import type { Document } from './documents.ts';
import { knowledge } from './groups.ts';
import { profileProblem } from './profile-problem.ts';
import { withRolesOf } from './roles.ts';
import { among, claimsIn, type Known, occupancyOf, UNKNOWN_FACTS, withNetwork } from './surroundings.ts';

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
  for (const profile of profiles) {
    const problem = profileProblem(profile);
    if (problem !== undefined)
      throw new Error(`FargateProfile ${profile.metadata?.name ?? 'without a name'}: ${problem}`);
  }
};

/**
 * A cluster as a file tells of it: FargateProfiles, ours or as `aws eks describe-fargate-profile` prints them,
 * and whatever else matters. What is not there counts as no obstacle.
 * @throws Error when there is no profile, or one is malformed
 */
export const toldSurroundings = (documents: readonly Document[]): Known => {
  const profiles = [...ofKind<FargateProfile>(documents, 'FargateProfile'), ...documents.flatMap(fromEks)];
  if (profiles.length === 0)
    throw new Error('the file of --profiles has no FargateProfile: put those of the cluster into it');
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
    subnetsKnown: told.length > 0,
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
