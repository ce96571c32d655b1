/**
 * Which volume a claim gets whose storage class waits for its first consumer. For such claims it is the
 * scheduler that chooses among the volumes that exist (Kubernetes documentation "Storage Classes", volume binding
 * mode); only the kind that Fargate can mount is of use here (spec/fargate.md §3.3, §3.4).
 */
import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import type { StorageClass } from 'kubernetes-types/storage/v1.js';
import { selects } from '../labels.ts';
import { parseQuantity } from '../sizing/quantity.ts';
import { EFS_DRIVER } from '../validation/volumes.ts';

/** Whether the scheduler has to choose the claim's volume. */
export const waitsForConsumer = (
  { spec, status }: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
): boolean =>
  storageClass?.volumeBindingMode === 'WaitForFirstConsumer' &&
  !spec?.volumeName &&
  status?.phase !== 'Bound';

const capacityOf = ({ spec }: PersistentVolume): bigint => parseQuantity(spec?.capacity?.['storage'] ?? 0);

const suits = (claim: PersistentVolumeClaim, volume: PersistentVolume): boolean => {
  const { spec = {}, status, metadata } = volume;
  const wanted = claim.spec ?? {};
  return (
    status?.phase === 'Available' &&
    !spec.claimRef &&
    spec.csi?.driver === EFS_DRIVER &&
    spec.storageClassName === wanted.storageClassName &&
    (spec.volumeMode ?? 'Filesystem') === (wanted.volumeMode ?? 'Filesystem') &&
    (wanted.accessModes ?? []).every((mode) => (spec.accessModes ?? []).includes(mode)) &&
    capacityOf(volume) >= parseQuantity(wanted.resources?.requests?.['storage'] ?? 0) &&
    selects(wanted.selector ?? {}, metadata?.labels)
  );
};

/**
 * The smallest volume that suits the claim, by name where equal.
 * @throws QuantityError when a quantity is malformed
 */
export const volumeFor = <V extends PersistentVolume>(
  claim: PersistentVolumeClaim,
  volumes: readonly V[],
): V | undefined =>
  volumes
    .filter((volume) => suits(claim, volume))
    .toSorted((a, b) => {
      const difference = capacityOf(a) - capacityOf(b);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      return (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;
    })[0];
