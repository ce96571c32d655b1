/** What stands between a verified caller and an action: permissions and the rate of calls. */
import { type Bucket, type Rate, take } from '../core/eks/bucket.ts';
import type { Refusal } from '../core/eks/errors.ts';
import { mayDo } from '../core/eks/permissions.ts';
import type { Principal } from './authenticate.ts';

/** A refusal that says when to come again, in milliseconds. */
export type Throttled = Refusal & { readonly retryAfterMs: number };

/** Buckets are forgotten when there are more; a full one is no loss. */
const MOST_BUCKETS = 10_000;

/**
 * Counts the calls of each key.
 * @param now milliseconds of a steady clock
 */
export const throttle = (
  rate: Rate,
  now: () => number = () => performance.now(),
): ((who: string, own?: Rate) => Throttled | undefined) => {
  const buckets = new Map<string, Bucket>();
  return (who, own) => {
    if (buckets.size > MOST_BUCKETS) buckets.clear();
    const { bucket, waitMs } = take(buckets.get(who), own ?? rate, now());
    buckets.set(who, bucket);
    if (waitMs === undefined) return undefined;
    return { type: 'ThrottlingException', message: 'Rate exceeded', retryAfterMs: waitMs };
  };
};

/**
 * Why a principal may not do something; undefined when it may.
 * @param cluster the cluster it is about; undefined for none
 * @param resource ARN of what it is about, `*` for nothing in particular
 */
export const refuseAction = (
  { arn, permissions }: Principal,
  action: string,
  cluster: string | undefined,
  resource: string,
): Refusal | undefined =>
  mayDo(permissions, action, cluster)
    ? undefined
    : {
        type: 'AccessDeniedException',
        message: `User: ${arn} is not authorized to perform: ${action} on resource: ${resource}`,
      };
