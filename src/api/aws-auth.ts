/** The ConfigMap `aws-auth`, where pod execution roles are looked for (spec/fargate.md §1.8). */
import { CORE_SCHEMA, load } from 'js-yaml';
import type { ConfigMap } from './resources.ts';

/** Where it is. */
export const AWS_AUTH = { namespace: 'kube-system', name: 'aws-auth' } as const;

/**
 * The list `mapRoles`, empty where there is none.
 * @throws Error when it is no YAML, or no list
 */
export const mapRolesOf = (config: Pick<ConfigMap, 'data'> | undefined): readonly unknown[] => {
  const roles: unknown = load(config?.data?.['mapRoles'] ?? '', { schema: CORE_SCHEMA }) ?? [];
  if (Array.isArray(roles)) return roles;
  throw new Error(`mapRoles of ConfigMap ${AWS_AUTH.namespace}/${AWS_AUTH.name} is no list: correct it`);
};
