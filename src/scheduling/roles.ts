/** Which pod execution roles nodes may be launched with, by the ConfigMap `aws-auth` (spec/fargate.md §1.8, §11.4). */
import type { Logger } from 'pino';
import { AWS_AUTH, mapRolesOf } from '../api/aws-auth.ts';
import type { ConfigMap } from '../api/resources.ts';
import { mayLaunch } from '../core/roles/mapping.ts';
import type { Store } from '../kube/store.ts';

/** Looks roles up in the ConfigMap as it is; it is read anew only when it has changed. */
export const launchRoles = (
  configs: Pick<Store<ConfigMap>, 'get'>,
  log: Logger,
): ((role: string) => boolean) => {
  let config: ConfigMap | undefined;
  let mapRoles: readonly unknown[] = [];
  return (role) => {
    const now = configs.get(`${AWS_AUTH.namespace}/${AWS_AUTH.name}`);
    if (now !== config) {
      config = now;
      mapRoles = readable(now, log);
    }
    return mayLaunch(mapRoles, role);
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
