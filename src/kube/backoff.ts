/** How long to wait between attempts that fail. */
export interface Backoff {
  /** Delay before the second retry, in milliseconds; it doubles with every further one. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * Milliseconds to wait before retry number `attempt`, counted from 0.
 * @param random a number in [0, 1): up to half of the delay is taken off, so that clients that failed together
 *   do not come back together
 */
export const delay = ({ firstMs, longestMs }: Backoff, attempt: number, random: number): number =>
  Math.min(longestMs, firstMs * 2 ** attempt) * (1 - random / 2);
