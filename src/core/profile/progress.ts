/** How a profile goes from state to state (spec/fargate.md §1.6), decided in one place for both doors. */
import type { ProfileStatus } from '../eks/create.ts';

/** What is looked at of a profile. */
export interface ProfileNow {
  readonly deleting: boolean;
  readonly finalized: boolean;
  readonly told: ProfileStatus | undefined;
  /** Why its role could not be mapped; undefined when it was, or when it has none. */
  readonly roleProblem: string | undefined;
  /** Pods that run under it. */
  readonly pods: number;
  /** Since when it is being deleted, in milliseconds. */
  readonly deletingMs: number;
}

/** What to do next. */
export type Step =
  /** Hold the profile by a finalizer, so that it cannot go before its pods. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'tell'; readonly status: ProfileStatus; readonly problem?: string }
  | { readonly kind: 'drain'; readonly tell?: ProfileStatus; readonly problem?: string }
  | { readonly kind: 'release' }
  | { readonly kind: 'nothing' };

/** After this time pods that do not go make the deletion count as failed; it is tried on all the same. */
export const DRAIN_LIMIT_MS = 15 * 60_000;

/** The next step. A profile is ACTIVE once admission has it, which whoever asks has made sure of. */
export const nextStep = (now: ProfileNow): Step => {
  if (now.deleting) return leaving(now);
  if (!now.finalized) return { kind: 'hold' };
  if (now.roleProblem !== undefined)
    return now.told === 'CREATE_FAILED'
      ? { kind: 'nothing' }
      : { kind: 'tell', status: 'CREATE_FAILED', problem: now.roleProblem };
  return now.told === 'ACTIVE' ? { kind: 'nothing' } : { kind: 'tell', status: 'ACTIVE' };
};

const leaving = ({ finalized, told, pods, deletingMs }: ProfileNow): Step => {
  if (!finalized) return { kind: 'nothing' };
  if (pods === 0) return { kind: 'release' };
  if (deletingMs > DRAIN_LIMIT_MS) {
    const problem = `${pods} pods of the profile are still there after ${DRAIN_LIMIT_MS / 60_000} minutes`;
    return { kind: 'drain', ...(told === 'DELETE_FAILED' ? {} : { tell: 'DELETE_FAILED', problem }) };
  }
  return { kind: 'drain', ...(told === 'DELETING' ? {} : { tell: 'DELETING' }) };
};
