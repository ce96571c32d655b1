/** How a profile goes from state to state (spec/fargate.md §1.6), decided in one place for both doors. */
import type { ProfileStatus } from '../eks/create.ts';

/** What is looked at of a profile. */
export interface ProfileNow {
  readonly deleting: boolean;
  readonly finalized: boolean;
  readonly told: ProfileStatus | undefined;
  /** Why its role could not be mapped; undefined when it was, or when it has none. */
  readonly roleProblem: Problem | undefined;
  /** Whether ACTIVE was told of the very selectors that it has now. */
  readonly announced: boolean;
  /** What keeps its selectors from being live in every replica of admission; undefined when nothing does. */
  readonly lag: string | undefined;
  /** Since when it waits for replicas, in milliseconds. */
  readonly lagMs: number;
  /** Pods that run under it. */
  readonly pods: number;
  /** Since when it is being deleted, in milliseconds. */
  readonly deletingMs: number;
}

/** An issue of a profile's health, by the codes of spec/fargate.md §1.1. */
export interface Problem {
  readonly code: 'AccessDenied' | 'ClusterUnreachable' | 'InternalFailure';
  readonly message: string;
}

/** What to do next. */
export type Step =
  /** Hold the profile by a finalizer, so that it cannot go before its pods. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'tell'; readonly status: ProfileStatus; readonly problem?: Problem }
  /** Look again after so many milliseconds: replicas of admission do not have it yet. */
  | { readonly kind: 'wait'; readonly againMs: number }
  | { readonly kind: 'drain'; readonly tell?: ProfileStatus; readonly problem?: Problem }
  | { readonly kind: 'release' }
  | { readonly kind: 'nothing' };

/** After this time pods that do not go make the deletion count as failed; it is tried on all the same. */
export const DRAIN_LIMIT_MS = 15 * 60_000;

/** Replicas follow within milliseconds; when they have not after this time, it is said what is waited for. */
export const LAG_TOLD_MS = 2_000;
/** After this time replicas that do not follow make the creation count as failed; it is waited on all the same. */
export const LAG_LIMIT_MS = 60_000;

/** The next step. ACTIVE means that the selectors are live in every replica of admission (§1.6). */
export const nextStep = (now: ProfileNow): Step => {
  if (now.deleting) return leaving(now);
  if (!now.finalized) return { kind: 'hold' };
  if (now.roleProblem !== undefined)
    return now.told === 'CREATE_FAILED' ? { kind: 'nothing' } : failed(now.roleProblem);
  if (now.told === 'ACTIVE' && now.announced) return { kind: 'nothing' };
  return now.lag === undefined ? { kind: 'tell', status: 'ACTIVE' } : waiting(now, now.lag);
};

const failed = (problem: Problem): Step => ({ kind: 'tell', status: 'CREATE_FAILED', problem });

const waiting = ({ told, lagMs }: ProfileNow, lag: string): Step => {
  const again: Step = { kind: 'wait', againMs: LAG_TOLD_MS };
  if (told === 'CREATE_FAILED') return again;
  if (lagMs >= LAG_LIMIT_MS)
    return failed({ code: 'InternalFailure', message: `after ${LAG_LIMIT_MS / 1000} seconds ${lag}` });
  if (told === 'CREATING' || (told === undefined && lagMs < LAG_TOLD_MS)) return again;
  return { kind: 'tell', status: 'CREATING', problem: { code: 'ClusterUnreachable', message: lag } };
};

const leaving = ({ finalized, told, pods, deletingMs }: ProfileNow): Step => {
  if (!finalized) return { kind: 'nothing' };
  if (pods === 0) return { kind: 'release' };
  if (deletingMs > DRAIN_LIMIT_MS) {
    const message = `${pods} pods of the profile are still there after ${DRAIN_LIMIT_MS / 60_000} minutes`;
    const problem: Problem = { code: 'InternalFailure', message };
    return { kind: 'drain', ...(told === 'DELETE_FAILED' ? {} : { tell: 'DELETE_FAILED', problem }) };
  }
  return { kind: 'drain', ...(told === 'DELETING' ? {} : { tell: 'DELETING' }) };
};
