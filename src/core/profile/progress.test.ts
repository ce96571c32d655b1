import { expect, it } from 'vitest';
import {
  DRAIN_LIMIT_MS,
  LAG_LIMIT_MS,
  LAG_TOLD_MS,
  nextStep,
  type ProfileNow,
  type Step,
} from './progress.ts';

const now = (more: Partial<ProfileNow>): ProfileNow => ({
  deleting: false,
  finalized: true,
  told: undefined,
  announced: false,
  lag: undefined,
  lagMs: 0,
  roleProblem: undefined,
  pods: 0,
  deletingMs: 0,
  ...more,
});

const LAG = '1 of 2 replicas of admission do not have the profile yet: a';

const UNREACHABLE: Step = {
  kind: 'tell',
  status: 'CREATING',
  problem: { code: 'ClusterUnreachable', message: LAG },
};

const DENIED = { code: 'AccessDenied', message: 'no' } as const;

it.each<[string, Partial<ProfileNow>, Step]>([
  ['new, by kubectl', { finalized: false }, { kind: 'hold' }],
  ['held', {}, { kind: 'tell', status: 'ACTIVE' }],
  ['told', { told: 'ACTIVE', announced: true }, { kind: 'nothing' }],
  ['told, when a replica starts', { told: 'ACTIVE', announced: true, lag: LAG }, { kind: 'nothing' }],
  ['told of other selectors', { told: 'ACTIVE' }, { kind: 'tell', status: 'ACTIVE' }],
  ['told of other selectors, which are not live', { told: 'ACTIVE', lag: LAG }, UNREACHABLE],
  ['not live yet', { lag: LAG }, { kind: 'wait', againMs: LAG_TOLD_MS }],
  ['not live for two seconds', { lag: LAG, lagMs: LAG_TOLD_MS }, UNREACHABLE],
  [
    'not live, told',
    { lag: LAG, lagMs: LAG_LIMIT_MS - 1, told: 'CREATING' },
    { kind: 'wait', againMs: LAG_TOLD_MS },
  ],
  [
    'not live for too long',
    { lag: LAG, lagMs: LAG_LIMIT_MS, told: 'CREATING' },
    {
      kind: 'tell',
      status: 'CREATE_FAILED',
      problem: { code: 'InternalFailure', message: `after 60 seconds ${LAG}` },
    },
  ],
  [
    'not live for too long, told',
    { lag: LAG, lagMs: LAG_LIMIT_MS, told: 'CREATE_FAILED' },
    { kind: 'wait', againMs: LAG_TOLD_MS },
  ],
  ['live after all', { told: 'CREATE_FAILED', lagMs: LAG_LIMIT_MS }, { kind: 'tell', status: 'ACTIVE' }],
  ['without its role', { roleProblem: DENIED }, { kind: 'tell', status: 'CREATE_FAILED', problem: DENIED }],
  ['without its role, told', { roleProblem: DENIED, told: 'CREATE_FAILED' }, { kind: 'nothing' }],
  ['with its role after all', { told: 'CREATE_FAILED' }, { kind: 'tell', status: 'ACTIVE' }],
  ['leaving with pods', { deleting: true, pods: 2, told: 'ACTIVE' }, { kind: 'drain', tell: 'DELETING' }],
  ['leaving with pods, told', { deleting: true, pods: 2, told: 'DELETING' }, { kind: 'drain' }],
  ['leaving without pods', { deleting: true, told: 'DELETING' }, { kind: 'release' }],
  ['leaving, held by others only', { deleting: true, finalized: false, pods: 1 }, { kind: 'nothing' }],
  [
    'leaving for too long',
    { deleting: true, pods: 2, told: 'DELETING', deletingMs: DRAIN_LIMIT_MS + 1 },
    {
      kind: 'drain',
      tell: 'DELETE_FAILED',
      problem: {
        code: 'InternalFailure',
        message: '2 pods of the profile are still there after 15 minutes',
      },
    },
  ],
  [
    'leaving for too long, told',
    { deleting: true, pods: 2, told: 'DELETE_FAILED', deletingMs: DRAIN_LIMIT_MS + 1 },
    { kind: 'drain' },
  ],
])('a profile that is %s', (_, more, expected) => {
  expect(nextStep(now(more))).toEqual(expected);
});
