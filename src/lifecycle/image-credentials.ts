/** What a machine's node pulls images with: what its profile's pod execution role gives (spec/fargate.md §1.8). */
import type { FargateProfile } from '../api/fargate-profile.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { secrets } from '../api/resources.ts';
import type { Machine } from '../core/machine/machine.ts';
import { credentialsOf, type ImageCredential, PULL_SECRET_TYPE } from '../core/roles/pulls.ts';
import type { KubeClient } from '../kube/client.ts';

/** Where profiles and Secrets are looked up. */
export interface PullContext {
  readonly client: KubeClient;
  readonly profiles: { get(name: string): FargateProfile | undefined };
}

/** The credentials as they are now; none for a profile without a role, or one that is gone. @throws ApiError */
export const imageCredentials = async (
  { profile }: Machine,
  { client, profiles }: PullContext,
): Promise<readonly ImageCredential[]> => {
  const role = profiles.get(profile)?.spec.podExecutionRoleArn;
  if (role === undefined) return [];
  const fieldSelector = `type=${PULL_SECRET_TYPE}`;
  return credentialsOf(role, await client.list(secrets, { namespace: SYSTEM_NAMESPACE, fieldSelector }));
};
