/** Tags of the cluster: the ConfigMap `eks-cluster` keeps them, since no object of ours is the cluster. */

import { configMaps } from '../api/resources.ts';
import { SYSTEM_NAMESPACE } from '../core/names.ts';
import { isAlreadyExists, type KubeClient, orNothing } from '../kube/client.ts';

const KEY = { namespace: SYSTEM_NAMESPACE, name: 'eks-cluster' };

type Tags = Readonly<Record<string, string>>;

/** The tags; none when nobody has put any. */
export const readClusterTags = async (client: KubeClient): Promise<Tags> => {
  const kept = await orNothing(client.get(configMaps, KEY));
  return JSON.parse(kept?.data?.['tags'] ?? '{}') as Tags;
};

/** Replaces all tags; callers take turns. */
export const writeClusterTags = async (client: KubeClient, tags: Tags): Promise<void> => {
  const data = { tags: JSON.stringify(tags) };
  try {
    await client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: KEY, data });
  } catch (cause) {
    if (!isAlreadyExists(cause)) throw cause;
    await client.patch(configMaps, KEY, { data }, { type: 'merge' });
  }
};
