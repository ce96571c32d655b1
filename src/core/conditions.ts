/** Conditions as of meta/v1: one per type, with the time at which its status last changed. */

/** A condition without its time. */
export interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  /** One CamelCase word for programs. */
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
}

/** A condition as it is stored. */
export interface Stored extends Omit<Verdict, 'status'> {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly lastTransitionTime: string;
}

/**
 * The list with the verdict in it; the very same list when it says so already.
 * @param now RFC 3339
 */
export const withCondition = (list: readonly Stored[], verdict: Verdict, now: string): readonly Stored[] => {
  const before = list.find(({ type }) => type === verdict.type);
  const same = before?.status === verdict.status;
  if (same && before?.reason === verdict.reason && before.message === verdict.message) return list;
  const lastTransitionTime = same && before !== undefined ? before.lastTransitionTime : now;
  return [...list.filter(({ type }) => type !== verdict.type), { ...verdict, lastTransitionTime }];
};
