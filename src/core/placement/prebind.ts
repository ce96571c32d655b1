/**
 * Which volume a claim gets whose storage class waits for its first consumer. For such claims it is the
 * scheduler that chooses among the volumes that exist, or a node for which one is provisioned (Kubernetes
 * documentation "Storage Classes", volume binding mode); only kinds that Fargate can mount are of use here
 * (spec/fargate.md §3.3, §3.4).
 */
import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import type { StorageClass } from 'kubernetes-types/storage/v1.js';
import { selects } from '../labels.ts';
import { parseQuantity } from '../sizing/quantity.ts';
import type { Policy } from '../validation/policy.ts';
import { EFS_DRIVER, isMountable } from '../validation/volumes.ts';

/** Whether the scheduler has to choose the claim's volume. */
export const waitsForConsumer = (
  { spec, status }: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
): boolean =>
  storageClass?.volumeBindingMode === 'WaitForFirstConsumer' &&
  !spec?.volumeName &&
  status?.phase !== 'Bound';

const capacityOf = ({ spec }: PersistentVolume): bigint => parseQuantity(spec?.capacity?.['storage'] ?? 0);

const suits = (claim: PersistentVolumeClaim, volume: PersistentVolume, policy: Policy): boolean => {
  const { spec = {}, status, metadata } = volume;
  const wanted = claim.spec ?? {};
  return (
    status?.phase === 'Available' &&
    !spec.claimRef &&
    isMountable(volume, policy) &&
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
  policy: Policy,
): V | undefined =>
  volumes
    .filter((volume) => suits(claim, volume, policy))
    .toSorted((a, b) => {
      const difference = capacityOf(a) - capacityOf(b);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      return (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;
    })[0];

/** Annotation by which the scheduler tells a provisioner to begin (Kubernetes documentation "Well-Known Labels"). */
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

/**
 * What makes a provisioner begin with a volume for the claim: the name of a node. Only classes of the file system
 * that every node mounts are of use. Its volumes are in no topology, and a provisioner wants a Node that exists,
 * which the pod's own cannot before its claims are bound; so any will do.
 * @param nodes names of Nodes that exist
 * @returns annotations to put on the claim; undefined when it has them, or nothing would come of it
 */
export const selectedNode = (
  { metadata }: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
  nodes: readonly string[],
): Readonly<Record<string, string>> | undefined => {
  const [first] = nodes.toSorted();
  const begun = metadata?.annotations?.[SELECTED_NODE] !== undefined;
  if (begun || storageClass?.provisioner !== EFS_DRIVER || first === undefined) return undefined;
  return { [SELECTED_NODE]: first };
};
