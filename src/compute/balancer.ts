/** What the balancing feature asks of whoever balances. */
import type { Balancing, Certificate } from '../core/balancing/model.ts';

/** How things are after a balancer was told. */
export interface Balanced {
  /** Whether a target of a pool is healthy; false for one that is unknown. */
  healthy(pool: string, target: string): boolean;
  /** Whether anything goes on that wants another look soon: targets that drain, or that are not healthy yet. */
  readonly settled: boolean;
  /** Certificates that it cannot use; all others serve. */
  readonly refused: readonly Certificate[];
}

/** Spreads connections over pods: `local` runs HAProxy. Calls are idempotent and wait under a limit. */
export interface Balancer {
  /**
   * Makes the balancers do exactly this. Connections to targets that stay are not touched; a target that is no
   * longer named gets no new connections from then on, and keeps those that it has for a while.
   */
  apply(balancing: Balancing): Promise<Balanced>;
}
