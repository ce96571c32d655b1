/**
 * What is on its way into guests: seeds, renewals, limits. A guest takes seconds until it answers, on a busy host
 * minutes, and one whose root is hostile for ever. No pass waits for it: while one is under way its machine can be
 * looked at, told of, and taken away, and so can all others.
 */

/** At most one delivery per machine, by name. All of it may be lost: a second delivery replaces the first. */
export interface Deliveries {
  /**
   * Begins a delivery unless one has begun.
   * @returns whether one has arrived, once; after that another one can begin
   * @throws what the last one failed with, once; after that another one can begin
   */
  begin(name: string, deliver: () => Promise<void>): boolean;
  /** What a machine that is gone left behind. */
  forget(name: string): void;
}

interface Delivery {
  outcome?: { readonly arrived: true } | { readonly arrived: false; readonly cause: unknown };
}

/** Keeps the deliveries. @param ended called with each machine whose delivery has ended, well or not */
export const deliveries = (ended: (name: string) => void): Deliveries => {
  const begun = new Map<string, Delivery>();
  const run = async (name: string, delivery: Delivery, deliver: () => Promise<void>): Promise<void> => {
    try {
      await deliver();
      delivery.outcome = { arrived: true };
    } catch (cause) {
      delivery.outcome = { arrived: false, cause };
    }
    if (begun.get(name) === delivery) ended(name);
  };
  return {
    begin: (name, deliver) => {
      const known = begun.get(name);
      if (known === undefined) {
        const delivery: Delivery = {};
        begun.set(name, delivery);
        void run(name, delivery, deliver);
        return false;
      }
      if (known.outcome === undefined) return false;
      begun.delete(name);
      if (known.outcome.arrived) return true;
      throw known.outcome.cause;
    },
    forget: (name) => void begun.delete(name),
  };
};
