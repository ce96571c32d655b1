/** Pod execution roles as they are now: who may take them, and whom they are mapped to (spec/fargate.md §1.8). */
import type { Logger } from 'pino';
import { AWS_AUTH, mapRolesOf } from '../api/aws-auth.ts';
import type { PodExecutionRole } from '../api/pod-execution-role.ts';
import type { ConfigMap } from '../api/resources.ts';
import type { LaunchRoles, Roles } from '../core/roles/launch.ts';
import type { Store } from '../kube/store.ts';

/** What launches look at. */
export interface RolesSource {
  readonly now: () => LaunchRoles;
  /** Calls the listener when a role or the mapping has changed. Gives the ways to stop. */
  readonly onChange: (listener: () => void) => readonly (() => void)[];
}

/** Roles by what watches keep of them; the ConfigMap is read anew only when it has changed. */
export const rolesFrom = (context: {
  readonly executionRoles: Pick<Store<PodExecutionRole>, 'list' | 'onChange'>;
  readonly authConfig: Pick<Store<ConfigMap>, 'get' | 'onChange'>;
  readonly owner: Pick<Roles, 'account' | 'cluster'>;
  readonly log: Logger;
}): RolesSource => {
  const { executionRoles, authConfig, owner, log } = context;
  let config: ConfigMap | undefined;
  let mapRoles: readonly unknown[] = [];
  return {
    now: () => {
      const latest = authConfig.get(`${AWS_AUTH.namespace}/${AWS_AUTH.name}`);
      if (latest !== config) {
        config = latest;
        mapRoles = readable(latest, log);
      }
      return { ...owner, roles: executionRoles.list(), mapRoles };
    },
    onChange: (listener) => [executionRoles.onChange(listener), authConfig.onChange(listener)],
  };
};

/** A list that nobody can read maps no role. */
const readable = (config: ConfigMap | undefined, log: Logger): readonly unknown[] => {
  try {
    return mapRolesOf(config);
  } catch (cause) {
    log.warn({ err: cause }, 'no role is mapped: the ConfigMap cannot be read');
    return [];
  }
};
