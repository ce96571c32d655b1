import { expect, it } from 'vitest';
import { DRAIN_LIMIT_MS, nextStep, type ProfileNow, type Step } from './progress.ts';

const now = (more: Partial<ProfileNow>): ProfileNow => ({
  deleting: false,
  finalized: true,
  told: undefined,
  roleProblem: undefined,
  pods: 0,
  deletingMs: 0,
  ...more,
});

it.each<[string, Partial<ProfileNow>, Step]>([
  ['new, by kubectl', { finalized: false }, { kind: 'hold' }],
  ['held', {}, { kind: 'tell', status: 'ACTIVE' }],
  ['told', { told: 'ACTIVE' }, { kind: 'nothing' }],
  ['without its role', { roleProblem: 'no' }, { kind: 'tell', status: 'CREATE_FAILED', problem: 'no' }],
  ['without its role, told', { roleProblem: 'no', told: 'CREATE_FAILED' }, { kind: 'nothing' }],
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
      problem: '2 pods of the profile are still there after 15 minutes',
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
