/** Giving volumes to claims that wait for their first consumer, which is the scheduler's part of binding. */
import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumes,
  type StorageClass,
} from '../api/resources.ts';
import { volumeFor, waitsForConsumer } from '../core/placement/prebind.ts';
import type { Pod } from '../core/pod.ts';
import { isConflict, type KubeClient } from '../kube/client.ts';
import type { Store } from '../kube/store.ts';

/** What volumes are chosen by. */
export interface ClaimsContext {
  readonly client: KubeClient;
  readonly claims: Store<PersistentVolumeClaim>;
  readonly volumes: Store<PersistentVolume>;
  readonly classes: Store<StorageClass>;
}

const claimsOf = ({ metadata, spec }: Pod, { claims }: ClaimsContext): readonly PersistentVolumeClaim[] =>
  (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => {
    const claim =
      persistentVolumeClaim && claims.get(`${metadata.namespace}/${persistentVolumeClaim.claimName}`);
    return claim ?? [];
  });

/**
 * Names each waiting claim of the pod in a volume that suits it; the cluster's own controller then binds the
 * two, and that change brings the pod here again. Claims without such a volume go on waiting.
 */
export const giveVolumes = async (pod: Pod, context: ClaimsContext): Promise<void> => {
  const { client, volumes, classes } = context;
  for (const claim of claimsOf(pod, context)) {
    if (!waitsForConsumer(claim, classes.get(claim.spec?.storageClassName ?? ''))) continue;
    const given = volumes.list().find(({ spec }) => spec?.claimRef?.uid === claim.metadata.uid);
    const volume = given === undefined ? volumeFor(claim, volumes.list()) : undefined;
    if (volume === undefined) continue;
    const { namespace, name, uid } = claim.metadata;
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    const { name: of = '', resourceVersion } = volume.metadata ?? {};
    try {
      // With the version that was looked at: a volume that somebody else was given meanwhile stays theirs.
      const patch = { metadata: { resourceVersion }, spec: { claimRef } };
      volumes.assume(await client.patch(persistentVolumes, { name: of }, patch, { type: 'merge' }));
    } catch (cause) {
      if (!isConflict(cause)) throw cause;
    }
  }
};
