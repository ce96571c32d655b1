/**
 * Pod execution roles in the ConfigMap `aws-auth` of `kube-system`, where tools look for them
 * (spec/fargate.md §1.8). Nothing here gives anybody access by it.
 */
import { CORE_SCHEMA, dump, load } from 'js-yaml';
import { type ConfigMap, configMaps } from '../api/resources.ts';
import { isAlreadyExists, isConflict, type KubeClient, orNothing } from '../kube/client.ts';

const KEY = { namespace: 'kube-system', name: 'aws-auth' };

/** What a node that runs with the role is to Kubernetes. */
const NODE_MAPPING = {
  username: 'system:node:{{SessionName}}',
  groups: ['system:bootstrappers', 'system:nodes', 'system:node-proxier'],
};

/** Attempts at a ConfigMap that others change at the same time. */
const ATTEMPTS = 5;

/**
 * `mapRoles` with the role in it; undefined when it is there already.
 * @throws Error when the text is no list, which is somebody else's and is left alone
 */
export const withRole = (mapRoles: string | undefined, rolearn: string): string | undefined => {
  const roles: unknown = load(mapRoles ?? '', { schema: CORE_SCHEMA }) ?? [];
  if (!Array.isArray(roles))
    throw new Error(`mapRoles of ConfigMap ${KEY.namespace}/${KEY.name} is no list: correct it`);
  const known = roles.some((role: unknown) => (role as { rolearn?: unknown } | null)?.rolearn === rolearn);
  return known ? undefined : dump([...roles, { rolearn, ...NODE_MAPPING }], { noRefs: true });
};

const read = (client: KubeClient): Promise<ConfigMap | undefined> => orNothing(client.get(configMaps, KEY));

/** Adds the role, unless it is there. */
export const ensureRoleMapping = async (client: KubeClient, role: string): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    const existing = await read(client);
    const mapRoles = withRole(existing?.data?.['mapRoles'], role);
    if (mapRoles === undefined) return;
    try {
      if (existing === undefined) {
        const metadata = { ...KEY };
        await client.create(configMaps, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata,
          data: { mapRoles },
        });
      } else {
        await client.replace(configMaps, { ...existing, data: { ...existing.data, mapRoles } });
      }
      return;
    } catch (cause) {
      if (attempt === ATTEMPTS || !(isConflict(cause) || isAlreadyExists(cause))) throw cause;
    }
  }
};
