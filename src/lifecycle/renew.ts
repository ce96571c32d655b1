/**
 * Certificates and token of a running machine are renewed at two thirds of their life. When they expire is
 * known to the process that issued them and to no one else: after a restart every machine is renewed once,
 * spread over a few minutes.
 */
import { renewalFiles } from '../compute/render/seed.ts';
import type { Context, View } from './context.ts';
import { credentials, LIFETIME_S } from './credentials.ts';
import type { Deliveries } from './deliveries.ts';

/** When each machine's credentials are due, by name. */
export interface Renewals {
  /** Notes that credentials have just been issued. */
  issued(name: string, now: Date): void;
  /**
   * Begins to renew what is due. Gives the milliseconds until the next renewal, or until one under way is looked at.
   * @throws what the last renewal failed with, once
   */
  renew(view: View, context: Context): number;
  forget(name: string): void;
}

const RENEW_AFTER_MS = (LIFETIME_S * 1000 * 2) / 3;
/** Machines found at start are renewed within this time, in an order given by their names. */
const SPREAD_MS = 300_000;

/** A renewal that ends is told at once. */
const LOOK_AGAIN_MS = 60_000;

/** A time on both clocks: the one may be set back, the other stands still while the host sleeps. */
interface Due {
  readonly wall: number;
  readonly steady: number;
}

/**
 * Keeps the due times.
 * @param issue how credentials are got
 * @param steady a clock in milliseconds that nobody sets
 */
export const renewals = (
  underWay: Deliveries,
  issue: typeof credentials = credentials,
  steady: () => number = () => performance.now(),
): Renewals => {
  const due = new Map<string, Due>();
  const after = (now: Date, ms: number): Due => ({ wall: now.getTime() + ms, steady: steady() + ms });
  const issued = (name: string, now: Date): void => void due.set(name, after(now, RENEW_AFTER_MS));
  return {
    issued,
    forget: (name) => {
      due.delete(name);
      underWay.forget(name);
    },
    renew: ({ machine }, context) => {
      const now = context.now();
      const at = due.get(machine.name) ?? after(now, spread(machine.name));
      due.set(machine.name, at);
      const leftMs = Math.min(at.wall - now.getTime(), at.steady - steady());
      if (leftMs > 0) return leftMs;
      const arrived = underWay.begin(machine.name, async () => {
        const fresh = await issue(machine, context);
        await context.provider.feed(machine, renewalFiles(fresh));
      });
      if (!arrived) return LOOK_AGAIN_MS;
      issued(machine.name, context.now());
      return RENEW_AFTER_MS;
    },
  };
};

const spread = (name: string): number => Number.parseInt(name.slice(-6), 16) % SPREAD_MS;
