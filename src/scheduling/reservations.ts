/** What is taken: the machines that the API server has, and those that it is being asked to make. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { MicroVM } from '../api/micro-vm.ts';
import { type ExistingMachine, Occupancy } from '../core/placement/occupancy.ts';
import { type Backoff, delay } from '../kube/backoff.ts';
import { ApiError } from '../kube/client.ts';
import type { Store } from '../kube/store.ts';

/** An occupancy that follows the store of MicroVMs. */
export interface Reservations {
  readonly occupancy: Occupancy;
  /**
   * Takes room and address of a machine before its object exists, so that decisions made meanwhile see it.
   * `create` is called until somebody knows whether the object was made: an answer that got lost may have been
   * a yes, and an address that is given back too early is given twice. It must give the same object to the
   * store however often it is called.
   * @throws ApiError when the API server refuses before any answer was lost; what was taken is given back
   */
  reserve(name: string, machine: Omit<ExistingMachine, 'dead'>, create: () => Promise<void>): Promise<void>;
  /** What a pod that is gone left behind. */
  forget(name: string): void;
  stop(): void;
}

const existing = (vm: MicroVM | undefined): ExistingMachine | undefined =>
  vm && { ...vm.spec, dead: vm.status?.phase === 'Failed' };

/** Whether the API server has refused. After a time-out or an error of its own it may still have acted. */
const isCertain = (cause: unknown): boolean =>
  cause instanceof ApiError && cause.status < 500 && cause.status !== 408;

const BACKOFF: Backoff = { firstMs: 100, longestMs: 5_000 };

/**
 * Calls until the outcome is certain, or nobody wants to know any more. Once an answer got lost, a refusal tells of
 * its own call only: an API server that starts again forbids everything for a moment.
 */
const surely = async (create: () => Promise<void>, signal: AbortSignal): Promise<void> => {
  for (let attempt = 0, doubt = false; ; attempt += 1) {
    try {
      await create();
      return;
    } catch (cause) {
      if ((isCertain(cause) && !doubt) || signal.aborted) throw cause;
      doubt = true;
    }
    await sleep(delay(BACKOFF, attempt, Math.random()), undefined, { signal });
  }
};

/** @param microVMs must be synced */
export const reservationsOf = (microVMs: Pick<Store<MicroVM>, 'get' | 'list' | 'onChange'>): Reservations => {
  const occupancy = new Occupancy();
  const underWay = new Set<string>();
  const stopping = new AbortController();
  const follow = (name: string): void => occupancy.set(name, existing(microVMs.get(name)));
  const unsubscribe = microVMs.onChange(follow);
  for (const { metadata } of microVMs.list()) follow(metadata.name);
  return {
    occupancy,
    reserve: async (name, machine, create) => {
      occupancy.set(name, { ...machine, dead: false });
      underWay.add(name);
      try {
        await surely(create, stopping.signal);
      } finally {
        underWay.delete(name);
        follow(name);
      }
    },
    forget: (name) => {
      if (!underWay.has(name)) follow(name);
    },
    stop: () => {
      unsubscribe();
      stopping.abort();
    },
  };
};
