/** What is taken: the machines that the API server has, and those that it is being asked to make. */

import type { MicroVM } from '../api/micro-vm.ts';
import { type ExistingMachine, Occupancy } from '../core/placement/occupancy.ts';
import { ApiError, isAlreadyExists } from '../kube/client.ts';
import type { Store } from '../kube/store.ts';

/** An occupancy that follows the store of MicroVMs. */
export interface Reservations {
  readonly occupancy: Occupancy;
  /**
   * Takes room and address of a machine before its object exists, so that decisions made meanwhile see it.
   * When `create` fails for certain they are given back; when nobody knows whether the object was made, they
   * stay taken until the pod is tried again or is gone.
   */
  reserve(name: string, machine: Omit<ExistingMachine, 'dead'>, create: () => Promise<void>): Promise<void>;
  /** What a pod that is gone left behind. */
  forget(name: string): void;
  stop(): void;
}

const existing = (vm: MicroVM | undefined): ExistingMachine | undefined =>
  vm && { size: vm.spec.size, placement: vm.spec.placement, dead: vm.status?.phase === 'Failed' };

/** @param microVMs must be synced */
export const reservationsOf = (microVMs: Store<MicroVM>): Reservations => {
  const occupancy = new Occupancy();
  const follow = (name: string): void => occupancy.set(name, existing(microVMs.get(name)));
  const stop = microVMs.onChange(follow);
  for (const { metadata } of microVMs.list()) follow(metadata.name);
  return {
    occupancy,
    reserve: async (name, machine, create) => {
      occupancy.set(name, { ...machine, dead: false });
      try {
        await create();
      } catch (cause) {
        if (cause instanceof ApiError && !isAlreadyExists(cause)) follow(name);
        throw cause;
      }
    },
    forget: follow,
    stop,
  };
};
