/** Token buckets: how many calls a caller may make (the throttling that AWS services describe). */

/** Calls per second in the long run, and at once after a pause. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A bucket at a moment. Times are milliseconds of any steady clock. */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** What came of taking a token: the bucket as it is now, and for a refusal how long until there is one. */
export interface Taken {
  readonly bucket: Bucket;
  /** Undefined when the call may go on; else milliseconds until the next token. */
  readonly waitMs: number | undefined;
}

/** Takes a token. A bucket that was never used, undefined, is full. */
export const take = (bucket: Bucket | undefined, { perSecond, burst }: Rate, now: number): Taken => {
  const tokens =
    bucket === undefined
      ? burst
      : Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, waitMs: undefined };
  return { bucket: { tokens, at: now }, waitMs: Math.ceil(((1 - tokens) / perSecond) * 1000) };
};
