/**
 * What a pod execution role has to be mapped to for nodes to run with it, in the list `mapRoles` of the ConfigMap
 * `aws-auth` (spec/fargate.md §1.8).
 */

/** What a node that runs with the role is to Kubernetes. */
export const NODE_MAPPING = {
  username: 'system:node:{{SessionName}}',
  groups: ['system:bootstrappers', 'system:nodes', 'system:node-proxier'],
} as const;

/** An entry of `mapRoles`, as somebody may have written it. */
interface RoleMapping {
  readonly rolearn?: unknown;
  readonly username?: unknown;
  readonly groups?: unknown;
}

const isMapping = (entry: unknown): entry is RoleMapping => typeof entry === 'object' && entry !== null;

const namesRole = (mapRoles: readonly unknown[], role: string): boolean =>
  mapRoles.some((entry) => isMapping(entry) && entry.rolearn === role);

/** Whether nodes may be launched with the role: it is mapped to a node's name and to all groups of nodes. */
export const mayLaunch = (mapRoles: readonly unknown[], role: string): boolean =>
  mapRoles.some((entry) => {
    if (!isMapping(entry) || entry.rolearn !== role || entry.username !== NODE_MAPPING.username) return false;
    const { groups } = entry;
    return Array.isArray(groups) && NODE_MAPPING.groups.every((group) => groups.includes(group));
  });

/** The list with the role mapped in it; the list itself where it names the role, whatever that is mapped to. */
export const withMapping = (mapRoles: readonly unknown[], rolearn: string): readonly unknown[] =>
  namesRole(mapRoles, rolearn) ? mapRoles : [...mapRoles, { rolearn, ...NODE_MAPPING }];
