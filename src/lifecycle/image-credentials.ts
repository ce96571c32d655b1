/** What a machine's node pulls images with: what its profile's pod execution role gives (spec/fargate.md §1.8). */
import type { FargateProfile } from '../api/fargate-profile.ts';
import { secrets } from '../api/resources.ts';
import type { Machine } from '../core/machine/machine.ts';
import { SYSTEM_NAMESPACE } from '../core/names.ts';
import { assumeProblem, type Roles } from '../core/roles/launch.ts';
import { credentialsOf, type ImageCredential, PULL_SECRET_TYPE } from '../core/roles/pulls.ts';
import type { KubeClient } from '../kube/client.ts';

/** Where profiles, roles and Secrets are looked up. */
export interface PullContext {
  readonly client: KubeClient;
  readonly profiles: { get(name: string): FargateProfile | undefined };
  /** What tells whether a role can be taken; without it, every one can. */
  readonly roles?: { readonly now: () => Roles };
}

/**
 * The credentials as they are now; none for a profile that is gone, has no role, or one that cannot be taken any
 * more: then its nodes lose them when they are renewed.
 * @throws ApiError
 */
export const imageCredentials = async (
  { profile: name }: Pick<Machine, 'profile'>,
  { client, profiles, roles }: PullContext,
): Promise<readonly ImageCredential[]> => {
  const profile = profiles.get(name);
  const role = profile?.spec.podExecutionRoleArn;
  if (profile === undefined || role === undefined) return [];
  if (roles && assumeProblem(role, profile.metadata, roles.now()) !== undefined) return [];
  const fieldSelector = `type=${PULL_SECRET_TYPE}`;
  return credentialsOf(role, await client.list(secrets, { namespace: SYSTEM_NAMESPACE, fieldSelector }));
};
