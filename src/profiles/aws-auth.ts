/**
 * Pod execution roles in the ConfigMap `aws-auth` of `kube-system`, where tools look for them and the scheduler
 * does (spec/fargate.md §1.8). Nothing here gives anybody access to the API server by it.
 */
import { dump } from 'js-yaml';
import { AWS_AUTH, mapRolesOf } from '../api/aws-auth.ts';
import { type ConfigMap, configMaps } from '../api/resources.ts';
import { withMapping } from '../core/roles/mapping.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { retried } from '../kube/retry.ts';

/**
 * The ConfigMap with the role in it; undefined when it is there already, whatever it is mapped to.
 * @throws UnreadableMappingError when nobody can read `mapRoles`, which is somebody else's and is left alone
 */
export const withRole = (config: ConfigMap | undefined, rolearn: string): ConfigMap | undefined => {
  const roles = mapRolesOf(config);
  const mapped = withMapping(roles, rolearn);
  if (mapped === roles) return undefined;
  const mapRoles = dump(mapped, { noRefs: true });
  const { apiVersion = 'v1', kind = 'ConfigMap', metadata = AWS_AUTH } = config ?? {};
  return { ...config, apiVersion, kind, metadata, data: { ...config?.data, mapRoles } };
};

/** Adds the role, unless it is there. Gives the ConfigMap that was written. */
export const ensureRoleMapping = (client: KubeClient, role: string): Promise<ConfigMap | undefined> =>
  retried(async () => {
    const existing = await orNothing(client.get(configMaps, AWS_AUTH));
    const wanted = withRole(existing, role);
    if (wanted === undefined) return undefined;
    return existing === undefined ? client.create(configMaps, wanted) : client.replace(configMaps, wanted);
  });
