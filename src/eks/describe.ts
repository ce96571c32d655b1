/** Profiles and clusters as the API tells them. */
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { Subnet } from '../api/subnet.ts';
import { type Account, clusterArn, profileArn } from '../core/eks/arn.ts';
import { profileStatus } from '../core/eks/create.ts';
import type { Places } from '../core/placement/subnets.ts';
import { subnetsFor } from '../core/placement/subnets.ts';
import type { ClusterFacts, EksContext } from './context.ts';
import type { ProfileDescription } from './schemas.ts';

/** Names of the subnets in which pods can run, in order: what a profile gets that names none. */
export const usableSubnets = (all: readonly Subnet[], places: Places): readonly string[] =>
  subnetsFor(undefined, all, places)
    .usable.map(({ name }) => name)
    .toSorted();

/** Seconds since 1970 of a time as objects have it. */
export const seconds = (time: string | undefined): number => Math.floor(Date.parse(time ?? '') / 1000);

/** A profile (spec/fargate.md §1.1). Subnets are the resolved list, also when the profile names none. */
export const describeProfile = (
  profile: FargateProfile,
  {
    account,
    cluster,
    subnets,
    places,
  }: {
    readonly account: Account;
    readonly cluster: string;
    readonly subnets: () => readonly Subnet[];
    readonly places: Places;
  },
): ProfileDescription => {
  const { metadata, spec, status } = profile;
  const named = spec.subnets ?? [];
  return {
    fargateProfileName: metadata.name,
    fargateProfileArn: profileArn(account, cluster, metadata.name, metadata.uid ?? ''),
    clusterName: cluster,
    createdAt: seconds(String(metadata.creationTimestamp)),
    podExecutionRoleArn: spec.podExecutionRoleArn ?? null,
    subnets: named.length > 0 ? [...named] : [...usableSubnets(subnets(), places)],
    selectors: spec.selectors.map(({ namespace, labels }) =>
      labels === undefined || Object.keys(labels).length === 0
        ? { namespace }
        : { namespace, labels: { ...labels } },
    ),
    status: profileStatus(profile),
    tags: { ...spec.tags },
    health: {
      issues: (status?.health?.issues ?? []).map((issue) => ({
        ...issue,
        resourceIds: [...issue.resourceIds],
      })),
    },
  };
};

/** A role's name for clusters: nothing assumes it, but clients print it. */
const CLUSTER_ROLE = 'cloister-cluster';

/** The cluster, with what there really is of an EKS cluster's members. */
export const describeCluster = (
  { account, cluster, settings, subnets }: Pick<EksContext, 'account' | 'cluster' | 'settings' | 'subnets'>,
  tags: Readonly<Record<string, string>>,
) => ({
  cluster: {
    name: cluster.name,
    arn: clusterArn(account, cluster.name),
    createdAt: seconds(cluster.createdAt),
    version: cluster.version,
    endpoint: cluster.endpoint,
    roleArn: `arn:${account.partition}:iam::${account.account}:role/${CLUSTER_ROLE}`,
    resourcesVpcConfig: {
      subnetIds: [...usableSubnets(subnets(), settings.places)],
      securityGroupIds: [],
      clusterSecurityGroupId: cluster.securityGroupId,
      vpcId: cluster.vpcId,
      endpointPublicAccess: true,
      endpointPrivateAccess: true,
      publicAccessCidrs: ['127.0.0.0/8'],
    },
    kubernetesNetworkConfig: { serviceIpv4Cidr: cluster.serviceCidr, ipFamily: 'ipv4' as const },
    logging: { clusterLogging: [{ types: [...LOG_TYPES], enabled: false }] },
    identity: { oidc: { issuer: cluster.issuer } },
    status: cluster.status,
    certificateAuthority: { data: Buffer.from(cluster.certificateAuthority).toString('base64') },
    platformVersion: PLATFORM,
    tags: { ...tags },
    health: { issues: [] },
    accessConfig: { authenticationMode: 'API_AND_CONFIG_MAP' },
  },
});

const LOG_TYPES = ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'];
/** Platform version of every cluster (spec/fargate.md §4.5): there is one form of control plane. */
export const PLATFORM = 'eks.1';

/** The cluster's own version: there is no other to choose. */
export const describeVersion = ({ version }: ClusterFacts) => ({
  clusterVersion: version,
  clusterType: 'eks',
  defaultPlatformVersion: PLATFORM,
  defaultVersion: true,
  status: 'standard-support',
  versionStatus: 'STANDARD_SUPPORT',
});
