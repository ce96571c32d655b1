/** Pod execution roles as `plan` and `doctor` know them: read from the API server, or told by files. */
import { AWS_AUTH, mapRolesOf } from '../api/aws-auth.ts';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { PodExecutionRole } from '../api/pod-execution-role.ts';
import { type ConfigMap, configMaps, podExecutionRoles } from '../api/resources.ts';
import { EKS_FACTS, parseEksFacts } from '../core/eks/facts.ts';
import type { LaunchRoles } from '../core/roles/launch.ts';
import { withMapping } from '../core/roles/mapping.ts';
import { ApiError, type Key, type KubeClient, orNone, orNothing } from '../kube/client.ts';

/** The roles, and what could not be found out about them. */
export interface KnownRoles {
  /** Undefined where the cluster has no account, and no role is judged. */
  readonly roles: LaunchRoles | undefined;
  readonly notes: readonly string[];
}

/** A ConfigMap, which may be absent or none of this user's business. */
const read = async (client: KubeClient, key: Key): Promise<ConfigMap | undefined | 'forbidden'> => {
  try {
    return await orNothing(client.get(configMaps, key));
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 403) return 'forbidden';
    throw cause;
  }
};

/** The mapping as the scheduler has it, for which a list that nobody can read maps no role. */
const mappingIn = (
  config: ConfigMap | undefined | 'forbidden',
): { readonly mapRoles: readonly unknown[] | undefined; readonly notes: readonly string[] } => {
  if (config === 'forbidden')
    return { mapRoles: undefined, notes: ['whether roles are mapped may not be looked at'] };
  try {
    return { mapRoles: mapRolesOf(config), notes: [] };
  } catch (cause) {
    return { mapRoles: [], notes: [(cause as Error).message] };
  }
};

/** Reads the cluster. @throws ApiError, ConnectionError */
export const liveRoles = async (client: KubeClient): Promise<KnownRoles> => {
  const [facts, config, roles] = await Promise.all([
    read(client, EKS_FACTS),
    read(client, AWS_AUTH),
    orNone(client.list(podExecutionRoles)),
  ]);
  const owner = facts === 'forbidden' ? undefined : parseEksFacts(facts?.data);
  if (owner === undefined) return { roles: undefined, notes: [] };
  const { account, cluster } = owner;
  const { mapRoles, notes } = mappingIn(config);
  return { roles: { account, cluster, roles, mapRoles }, notes };
};

/** The same roles once those of a manifest are there, too, and its profiles, whose roles the product maps. */
export const withRolesOf = (
  known: LaunchRoles | undefined,
  own: readonly PodExecutionRole[],
  profiles: readonly FargateProfile[],
): LaunchRoles | undefined => {
  if (known === undefined) return undefined;
  const replaced = new Set(own.map(({ metadata }) => metadata.name));
  const kept = known.roles.filter(({ metadata }) => !replaced.has(metadata.name));
  const mapRoles = profiles.reduce<readonly unknown[] | undefined>(
    (list, { spec: { podExecutionRoleArn: arn } }) =>
      list === undefined || arn === undefined ? list : withMapping(list, arn),
    known.mapRoles,
  );
  return { ...known, roles: [...kept, ...own], mapRoles };
};
