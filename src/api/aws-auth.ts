/** The ConfigMap `aws-auth`, where pod execution roles are looked for (spec/fargate.md §1.8). */
import { CORE_SCHEMA, load, YAMLException } from 'js-yaml';
import type { ConfigMap } from './resources.ts';

/** Where it is. */
export const AWS_AUTH = { namespace: 'kube-system', name: 'aws-auth' } as const;

/** Somebody wrote what nobody can read into `mapRoles`. */
export class UnreadableMappingError extends Error {
  constructor(why: string, options?: ErrorOptions) {
    const where = `mapRoles of ConfigMap ${AWS_AUTH.namespace}/${AWS_AUTH.name}`;
    super(`${where} cannot be read, ${why}: correct it`, options);
    this.name = 'UnreadableMappingError';
  }
}

/**
 * The list `mapRoles`, empty where there is none.
 * @throws UnreadableMappingError when it is no YAML, or no list
 */
export const mapRolesOf = (config: Pick<ConfigMap, 'data'> | undefined): readonly unknown[] => {
  const roles = parsed(config?.data?.['mapRoles'] ?? '') ?? [];
  if (Array.isArray(roles)) return roles;
  throw new UnreadableMappingError('it is no list');
};

const parsed = (text: string): unknown => {
  try {
    return load(text, { schema: CORE_SCHEMA });
  } catch (cause) {
    if (cause instanceof YAMLException) throw new UnreadableMappingError(cause.reason, { cause });
    throw cause;
  }
};
