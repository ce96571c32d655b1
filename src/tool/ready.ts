/** What has to be there before a pod is created in a namespace. */
import { fargateProfiles, serviceAccounts } from '../api/resources.ts';
import { until } from '../host/wait.ts';
import type { KubeClient } from '../kube/client.ts';

/**
 * Waits until the selectors of a profile are live. Admission decides once: a pod that comes before would stay off
 * Fargate. @throws TimeoutError
 */
export const untilLive = (client: KubeClient, profile: string): Promise<unknown> =>
  until(async () => (await client.get(fargateProfiles, { name: profile })).status?.status === 'ACTIVE', {
    limitMs: 60_000,
    what: `the selectors of profile ${profile} to be live`,
  });

/** Waits for the default service account: the API server refuses pods that come before. @throws TimeoutError */
export const untilAccount = (client: KubeClient, namespace: string): Promise<unknown> =>
  until(() => client.get(serviceAccounts, { namespace, name: 'default' }), {
    limitMs: 60_000,
    what: `the default service account of ${namespace}`,
  });
