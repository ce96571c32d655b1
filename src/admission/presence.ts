/**
 * A replica of admission tells that it is there, and how far it has followed the profiles: by a Lease of its own,
 * which it renews. Whoever tells profiles ACTIVE waits for all of them (`src/profiles/replicas.ts`).
 */
import { randomUUID } from 'node:crypto';
import type { FargateProfile } from '../api/fargate-profile.ts';
import { leases } from '../api/resources.ts';
import {
  ADMISSION_LABEL,
  ADMISSION_REPLICA,
  PROFILES_SEEN_ANNOTATION,
  SYSTEM_NAMESPACE,
} from '../core/names.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { runController } from '../kube/controller.ts';
import type { Log } from '../kube/log.ts';
import { microTime } from '../kube/object.ts';
import type { Store } from '../kube/store.ts';

/** How long a replica counts as there after its Lease has changed, in seconds. */
const LEASE_SECONDS = 15;
const RENEW_MS = 5_000;

export interface Presence {
  /** Name of the Lease. */
  readonly name: string;
  /** Tells from now on how far this store is, which admission matches by. */
  follow(profiles: Pick<Store<FargateProfile>, 'reached' | 'onReached'>): void;
  /** The replica answers no longer. */
  stop(): Promise<void>;
}

/**
 * Announces a replica that has no profiles yet. To be called before its store lists them: a profile that is
 * written after that list then finds the Lease, and one written before is in the list.
 */
export const announce = async (client: KubeClient, log: Log): Promise<Presence> => {
  const name = `admission-${randomUUID()}`;
  const key = { namespace: SYSTEM_NAMESPACE, name };
  let seen = (): string => '0';
  let leave = (): void => {};

  const renew = async (): Promise<void> => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...key,
        labels: { [ADMISSION_LABEL]: ADMISSION_REPLICA },
        annotations: { [PROFILES_SEEN_ANNOTATION]: seen() },
      },
      spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime(Date.now()) },
    };
    await client.patch(leases, key, lease, { type: 'apply', force: true });
  };
  await renew();
  const renewer = runController({
    name: 'admission-presence',
    workers: 1,
    reconcile: async () => {
      await renew();
      return { again: RENEW_MS };
    },
    log,
    limitMs: LEASE_SECONDS * 1000,
  });
  renewer.enqueue(name, RENEW_MS);
  return {
    name,
    follow: (profiles) => {
      seen = profiles.reached;
      leave = profiles.onReached(() => renewer.enqueue(name));
      renewer.enqueue(name);
    },
    stop: async () => {
      leave();
      await renewer.stop();
      await orNothing(client.delete(leases, key));
    },
  };
};
