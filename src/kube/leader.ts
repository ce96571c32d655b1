/**
 * One leader among several processes, by a Lease in the API server, with the rules and numbers of client-go's
 * `leaderelection`.
 *
 * Clocks of different machines are not compared: a follower takes over when the Lease has not *changed*, by
 * its own clock, for as long as the Lease says it lasts. A leader that cannot renew gives up before that, so
 * there is a time without a leader and never one with two.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseSpec } from 'kubernetes-types/coordination/v1.js';
import { type Lease, leases } from '../api/resources.ts';
import { isAlreadyExists, isConflict, type Key, type KubeClient, orNothing } from './client.ts';
import type { Log } from './log.ts';
import { microTime } from './object.ts';

export interface LeaderOptions {
  readonly client: KubeClient;
  /** The Lease; its namespace must exist. */
  readonly lease: Required<Key>;
  /** Tells this process from all others that take part. */
  readonly identity: string;
  readonly onElected: () => void;
  /** The lease could not be renewed in time: stop at once, another process may lead soon. */
  readonly onLost: () => void;
  readonly log: Log;
  readonly timing?: LeaderTiming;
}

/** In milliseconds, `retryMs` < `renewLimitMs` < `leaseMs`. */
interface LeaderTiming {
  /** How long a leader that falls silent keeps others waiting; whole seconds. Default 15,000. */
  readonly leaseMs: number;
  /** How long a leader may fail to renew before it gives up. Default 10,000. */
  readonly renewLimitMs: number;
  /** Between attempts to acquire or renew. Default 2,000. */
  readonly retryMs: number;
}

const TIMING: LeaderTiming = { leaseMs: 15_000, renewLimitMs: 10_000, retryMs: 2_000 };

export interface Leadership {
  isLeader(): boolean;
  /** Takes part no longer. A leader releases the lease, without `onLost`, so that another follows at once. */
  stop(): Promise<void>;
}

/** Takes part in the election until stopped; may be elected and lose more than once. */
export const takePart = (options: LeaderOptions): Leadership => {
  const { client, lease: key, identity, log, timing = TIMING } = options;
  const stopping = new AbortController();
  /** The Lease as it was last seen to change, and when that was. */
  let seen: { readonly version: string | undefined; readonly at: number } | undefined;
  /** Fires when this leader has not renewed for too long. Set exactly while it leads. */
  let overdue: NodeJS.Timeout | undefined;

  const lead = (sentAt: number): void => {
    const leftMs = sentAt + timing.renewLimitMs - performance.now();
    if (leftMs <= 0) return; // the answer took so long that the lease may be another's by now
    const wasElected = overdue !== undefined;
    clearTimeout(overdue);
    overdue = setTimeout(lose, leftMs);
    if (wasElected) return;
    log.info({ lease: key.name, identity }, 'elected leader');
    options.onElected();
  };

  const lose = (): void => {
    if (overdue === undefined) return;
    clearTimeout(overdue);
    overdue = undefined;
    log.error({ lease: key.name, identity }, 'leadership lost');
    options.onLost();
  };

  /** One attempt to acquire or renew; says whether the Lease is ours. */
  const attempt = async (): Promise<boolean> => {
    const found = await orNothing(client.get(leases, key));
    const spec = found?.spec;
    if (found?.metadata.resourceVersion !== seen?.version || seen === undefined)
      seen = { version: found?.metadata.resourceVersion, at: performance.now() };
    const lasts = (spec?.leaseDurationSeconds ?? 0) * 1000;
    const isFree = (spec?.holderIdentity ?? '') === '' || performance.now() - seen.at > lasts;
    if (spec?.holderIdentity !== identity && !isFree) return false;
    await write(client, key, found, claim(spec, identity, timing.leaseMs));
    return true;
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const sentAt = performance.now();
      try {
        const isOurs = await attempt();
        if (stopping.signal.aborted) break;
        if (isOurs) lead(sentAt);
        else lose();
      } catch (error) {
        // A conflict means that another took it first. Whatever failed, the deadline of a leader goes on.
        if (!isConflict(error) && !isAlreadyExists(error))
          log.warn({ err: error, lease: key.name }, 'cannot acquire or renew the lease; trying again');
      }
      await pause(timing.retryMs * (0.8 + 0.4 * Math.random()), stopping.signal);
    }
  };

  const running = run();
  return {
    isLeader: () => overdue !== undefined,
    stop: async () => {
      stopping.abort();
      await running;
      clearTimeout(overdue);
      overdue = undefined;
      await release(client, key, identity).catch((error) => {
        log.warn({ err: error, lease: key.name }, 'cannot release the lease; it runs out by itself');
      });
    },
  };
};

/** Creates or replaces the Lease as it was read; a conflict when another process was faster. */
const write = async (
  client: KubeClient,
  key: Key,
  found: Lease | undefined,
  spec: LeaseSpec,
): Promise<void> => {
  if (found === undefined) await client.create(leases, { metadata: { ...key }, spec });
  else await client.replace(leases, { ...found, spec });
};

const claim = (before: LeaseSpec | undefined, identity: string, leaseMs: number): LeaseSpec => {
  const now = microTime(Date.now());
  const isRenewal = before?.holderIdentity === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseMs / 1000),
    acquireTime: isRenewal ? (before.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: (before?.leaseTransitions ?? 0) + (isRenewal || before === undefined ? 0 : 1),
  };
};

/** Also when the last attempt was answered too late to be noticed, so whoever holds the lease is asked for. */
const release = async (client: KubeClient, key: Key, identity: string): Promise<void> => {
  const found = await orNothing(client.get(leases, key));
  if (found?.spec?.holderIdentity !== identity) return;
  await write(client, key, found, { ...found.spec, holderIdentity: '', leaseDurationSeconds: 1 });
};

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, { signal }).catch((cause) => {
    if (!signal.aborted) throw cause;
  });
};
