/**
 * Changes of profiles and tags, one after the other in all replicas: whoever holds the Lease `eks-changes` looks at the
 * cluster, decides and writes. It is held for the milliseconds that a change is decided and written in, not
 * while a profile becomes ACTIVE. Clocks of machines are not compared: a holder counts as dead when the Lease has
 * not changed for its time by the clock here.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lease, leases } from '../api/resources.ts';
import { SYSTEM_NAMESPACE } from '../core/names.ts';
import { isConflict, type KubeClient, orNothing } from '../kube/client.ts';
import { microTime, versionOf } from '../kube/object.ts';
import { retried } from '../kube/retry.ts';

/** Runs something while nobody else does. */
export type TakeTurn = <T>(run: () => Promise<T>) => Promise<T>;

const NAME = 'eks-changes';
/** Longer than any change takes: requests end after 30 s. */
const LEASE_SECONDS = 40;
/** How long to wait for the turn. */
const LIMIT_MS = 50_000;
const LOOK_EVERY_MS = 20;

/** The turn did not come: another replica died while it held the Lease, or is very slow. */
export class BusyError extends Error {
  constructor(holder: string) {
    super(`waited ${LIMIT_MS / 1000} s for Lease ${SYSTEM_NAMESPACE}/${NAME}, which ${holder} holds`);
    this.name = 'BusyError';
  }
}

/**
 * Turns of this process, which asks for the Lease once for each.
 * @param now milliseconds of a steady clock
 */
export const turns = (client: KubeClient, now: () => number = () => performance.now()): TakeTurn => {
  const identity = randomUUID();
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const turn = last.then(async () => {
      const held = await acquire(client, identity, now);
      try {
        return await run();
      } finally {
        await release(client, held);
      }
    });
    last = turn.catch(() => {}); // the caller is told; the next turn comes all the same
    return turn;
  };
};

const readLease = (client: KubeClient): Promise<Lease> =>
  retried(async () => {
    const key = { namespace: SYSTEM_NAMESPACE, name: NAME };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: key } as const;
    return (await orNothing(client.get(leases, key))) ?? client.create(leases, lease);
  });

const acquire = async (client: KubeClient, identity: string, now: () => number): Promise<Lease> => {
  const deadline = now() + LIMIT_MS;
  let seen = { version: '', at: 0 };
  for (;;) {
    const lease = await readLease(client);
    if (versionOf(lease) !== seen.version) seen = { version: versionOf(lease), at: now() };
    const { holderIdentity: holder } = lease.spec ?? {};
    // Its own, when an answer was lost: here turns come one after the other.
    const free = !holder || holder === identity;
    if (free || now() - seen.at >= LEASE_SECONDS * 1000) {
      try {
        return await client.replace(leases, {
          ...lease,
          spec: {
            holderIdentity: identity,
            leaseDurationSeconds: LEASE_SECONDS,
            renewTime: microTime(Date.now()),
          },
        });
      } catch (cause) {
        if (!isConflict(cause)) throw cause;
      }
    }
    if (now() >= deadline) throw new BusyError(holder ?? 'nobody');
    await sleep(LOOK_EVERY_MS);
  }
};

/** Gives the Lease back; when somebody else has it by now, there is nothing to give. */
const release = async (client: KubeClient, held: Lease): Promise<void> => {
  try {
    await client.replace(leases, { ...held, spec: { ...held.spec, holderIdentity: '' } });
  } catch (cause) {
    if (!isConflict(cause)) throw cause;
  }
};
