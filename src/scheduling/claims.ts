/** Giving volumes to claims that wait for their first consumer, which is the scheduler's part of binding. */
import {
  nodes,
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
  type Resource,
  type StorageClass,
} from '../api/resources.ts';
import { selectedNode, volumeFor, waitsForConsumer } from '../core/placement/prebind.ts';
import type { Pod } from '../core/pod.ts';
import type { Policy } from '../core/validation/policy.ts';
import { isConflict, type KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/object.ts';
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
 * Names each waiting claim of the pod in a volume that suits it, or has one provisioned where there is none; the
 * cluster's own controller then binds the two, and that change brings the pod here again. Claims for which nobody
 * makes a volume go on waiting.
 */
export const giveVolumes = async (pod: Pod, policy: Policy, context: ClaimsContext): Promise<void> => {
  const { volumes, classes } = context;
  for (const claim of claimsOf(pod, context)) {
    if (!waitsForConsumer(claim, classes.get(claim.spec?.storageClassName ?? ''))) continue;
    if (volumes.list().some(({ spec }) => spec?.claimRef?.uid === claim.metadata.uid)) continue;
    const volume = volumeFor(claim, volumes.list(), policy);
    if (volume === undefined) await askForVolume(claim, context);
    else await give(volume, claim, context);
  }
};

/**
 * Patches the version that was looked at: what somebody else was given meanwhile stays theirs.
 * @returns undefined when it has changed
 */
const patchUnchanged = async <T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  change: { readonly metadata?: object; readonly spec?: object },
): Promise<T | undefined> => {
  const { namespace, name = '', resourceVersion } = object.metadata ?? {};
  const key = namespace === undefined ? { name } : { namespace, name };
  const patch = { ...change, metadata: { ...change.metadata, resourceVersion } };
  try {
    return await client.patch(resource, key, patch, { type: 'merge' });
  } catch (cause) {
    if (isConflict(cause)) return undefined;
    throw cause;
  }
};

const give = async (
  volume: PersistentVolume,
  { metadata: { namespace, name, uid } }: PersistentVolumeClaim,
  { client, volumes }: ClaimsContext,
): Promise<void> => {
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
  const given = await patchUnchanged(client, persistentVolumes, volume, { spec: { claimRef } });
  if (given !== undefined) volumes.assume(given);
};

const askForVolume = async (
  claim: PersistentVolumeClaim,
  { client, claims, classes }: ClaimsContext,
): Promise<void> => {
  const storageClass = classes.get(claim.spec?.storageClassName ?? '');
  const existing = (await client.list(nodes)).map(({ metadata }) => metadata.name ?? '');
  const annotations = selectedNode(claim, storageClass, existing);
  if (annotations === undefined) return;
  const asked = await patchUnchanged(client, persistentVolumeClaims, claim, { metadata: { annotations } });
  if (asked !== undefined) claims.assume(asked);
};
