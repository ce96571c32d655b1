/**
 * Seeds on their way into guests. A guest takes seconds until it answers, on a busy host minutes, and no pass waits
 * for it: while one is under way its machine can be looked at, told of, and taken away.
 */

/** At most one delivery per machine, by name. All of it may be lost: a second delivery replaces the first. */
export interface Deliveries {
  /**
   * Begins a delivery unless one has begun.
   * @throws what the last one failed with, once; after that another one can begin
   */
  begin(name: string, deliver: () => Promise<void>): void;
  /** What a machine that is gone left behind. */
  forget(name: string): void;
}

interface Delivery {
  failed?: { readonly cause: unknown };
}

/** Keeps the deliveries. @param ended called with each machine whose delivery has ended, well or not */
export const deliveries = (ended: (name: string) => void): Deliveries => {
  const begun = new Map<string, Delivery>();
  const run = async (name: string, delivery: Delivery, deliver: () => Promise<void>): Promise<void> => {
    try {
      await deliver();
    } catch (cause) {
      delivery.failed = { cause };
    }
    if (begun.get(name) === delivery) ended(name);
  };
  return {
    begin: (name, deliver) => {
      const known = begun.get(name);
      if (known?.failed !== undefined) {
        begun.delete(name);
        throw known.failed.cause;
      }
      if (known !== undefined) return;
      const delivery: Delivery = {};
      begun.set(name, delivery);
      void run(name, delivery, deliver);
    },
    forget: (name) => void begun.delete(name),
  };
};
