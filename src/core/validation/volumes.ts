/** Which volumes of a pod are refused (spec/fargate.md §3.3). */
import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import type { Pod, Volume } from '../pod.ts';
import type { Policy } from './policy.ts';

/** What is known of claims in the pod's namespace and of volumes; undefined means that there is none. */
export interface Claims {
  claim(name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
}

/** One item of the clause. */
export interface RefusedVolume {
  readonly index: number;
  readonly text: string;
  /** The claim may still appear or be bound. */
  readonly transient: boolean;
}

const SUPPORTED: ReadonlySet<string> = new Set([
  'emptyDir',
  'secret',
  'configMap',
  'projected',
  'downwardAPI',
  'nfs',
  'persistentVolumeClaim',
]);

/** Kinds that need nothing outside the guest, for profiles that allow them. */
const SUPPORTED_WHEN_OPEN: ReadonlySet<string> = new Set(['hostPath', 'image']);

/** Kinds of PersistentVolumes that the kubelet mounts by itself, for profiles that allow them. */
const CLAIMABLE_WHEN_OPEN = ['hostPath', 'nfs'] as const;

/** The driver that every node carries; no other claim can be mounted (§3.4). */
export const EFS_DRIVER = 'efs.csi.aws.com';

/** Whether a guest can mount the volume: EFS, and where the profile allows it, what needs no driver. */
export const isMountable = ({ spec }: PersistentVolume, policy: Policy): boolean =>
  spec?.csi?.driver === EFS_DRIVER ||
  Boolean(policy.volumes && CLAIMABLE_WHEN_OPEN.some((kind) => spec?.[kind]));

/** A volume without any source becomes an emptyDir when it is stored (Kubernetes API defaulting). */
const sourceOf = (volume: Volume): string => {
  for (const [key, value] of Object.entries(volume)) if (key !== 'name' && value != null) return key;
  return 'emptyDir';
};

const refusedClaim = (
  name: string,
  policy: Policy,
  claims: Claims,
): Omit<RefusedVolume, 'index'> | undefined => {
  const claim = claims.claim(name);
  if (claim === undefined) return { text: `persistentvolumeclaim "${name}" not found`, transient: true };
  const volumeName = claim.spec?.volumeName;
  if (claim.status?.phase !== 'Bound' || !volumeName)
    return { text: `PVC ${name} not bound`, transient: true };
  const volume = claims.volume(volumeName);
  if (volume === undefined) return { text: `persistentvolume "${volumeName}" not found`, transient: true };
  if (isMountable(volume, policy)) return undefined;
  const bound = `PVC ${name} bound to invalid PV ${volumeName}`;
  const csi = volume.spec?.csi;
  return { text: `${bound} with ${csi ? `CSI Driver: ${csi.driver}` : 'nil CSI spec'}`, transient: false };
};

/** Every volume that is refused, in the order of the pod's list. */
export const refusedVolumes = (
  pod: Pod,
  policy: Policy,
  claims: Claims | undefined,
): readonly RefusedVolume[] =>
  (pod.spec.volumes ?? []).flatMap((volume, index): RefusedVolume[] => {
    const source = sourceOf(volume);
    if (source === 'persistentVolumeClaim' && claims !== undefined) {
      const refused = refusedClaim(volume.persistentVolumeClaim?.claimName ?? '', policy, claims);
      if (refused === undefined) return [];
      return [{ ...refused, index, text: `${volume.name} not supported because: ${refused.text}` }];
    }
    if (SUPPORTED.has(source) || (policy.volumes && SUPPORTED_WHEN_OPEN.has(source))) return [];
    return [{ index, text: `${volume.name} is of an unsupported volume Type`, transient: false }];
  });
