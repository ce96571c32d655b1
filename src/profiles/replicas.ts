/**
 * The replicas of admission, by their Leases (`src/admission/presence.ts`). Clocks of machines are not compared:
 * a replica counts as gone when its Lease has not changed, by the clock here, for as long as it says it lasts.
 */

import { type Lease, leases } from '../api/resources.ts';
import {
  ADMISSION_LABEL,
  ADMISSION_REPLICA,
  PROFILES_SEEN_ANNOTATION,
  SYSTEM_NAMESPACE,
} from '../core/names.ts';
import type { Replica } from '../core/profile/live.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import type { Log } from '../kube/log.ts';
import { isNewer, keyOf, versionOf } from '../kube/object.ts';
import { watchStore } from '../kube/store.ts';

export interface Replicas {
  /** The replicas that answer, as the API server knows them now, and whether they have reached that version. */
  at(resourceVersion: string): Promise<readonly Replica[]>;
  /** Resolves when they are known. */
  readonly synced: Promise<void>;
  /** Calls the listener when a replica came, went or moved on. Gives the way to stop. */
  onChange(listener: () => void): () => void;
  stop(): void;
}

/** @param now milliseconds of a steady clock */
export const watchReplicas = (
  client: KubeClient,
  log: Log,
  now: () => number = () => performance.now(),
): Replicas => {
  const selection = {
    namespace: SYSTEM_NAMESPACE,
    labelSelector: `${ADMISSION_LABEL}=${ADMISSION_REPLICA}`,
  };
  const store = watchStore(client, leases, { ...selection, log });
  /** Each Lease's version, and since when it has that. */
  const seen = new Map<string, { readonly version: string; readonly at: number }>();

  const note = (lease: Lease): void => {
    const version = versionOf(lease);
    if (seen.get(keyOf(lease))?.version !== version) seen.set(keyOf(lease), { version, at: now() });
  };
  store.onChange((key, lease) => {
    if (lease === undefined) seen.delete(key);
    else note(lease);
  });

  const isThere = (lease: Lease): boolean => {
    note(lease);
    const lastsMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    return now() - (seen.get(keyOf(lease))?.at ?? 0) <= lastsMs;
  };

  /** A replica that ended without a word: nobody else removes its Lease. */
  const bury = async ({ metadata: { name = '', uid } }: Lease): Promise<void> => {
    log.warn({ replica: name }, 'a replica of admission is gone: its Lease was not renewed');
    await orNothing(client.delete(leases, { namespace: SYSTEM_NAMESPACE, name }, { uid }));
  };

  return {
    at: async (resourceVersion) => {
      const all = await client.list(leases, selection);
      await Promise.all(all.filter((lease) => !isThere(lease)).map(bury));
      return all.filter(isThere).map(({ metadata }) => ({
        name: metadata.name ?? '',
        follows: !isNewer(resourceVersion, metadata.annotations?.[PROFILES_SEEN_ANNOTATION] ?? '0'),
      }));
    },
    synced: store.synced,
    onChange: (listener) => store.onChange(listener),
    stop: () => store.stop(),
  };
};
