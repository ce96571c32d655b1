import { describe, expect, it } from 'vitest';
import { type LifeStatus, type Progress, statusOf, worthWriting } from './life.ts';

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 250));
const started: Progress = {
  reached: { Placed: at(0), Registered: at(1), Launched: at(1), Bound: at(1) },
  waiting: { stage: 'Booted', reason: 'GuestStarting', message: 'the guest has not opened its port' },
};
const running: Progress = { reached: { ...started.reached, Booted: at(5), Joined: at(15), Running: at(20) } };

describe('the status of a machine', () => {
  it('has one condition per stage that is settled or waited for', () => {
    const status = statusOf(undefined, started, at(3));
    expect(status.phase).toBe('Bound');
    expect(status.conditions?.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
      'Placed=True',
      'Registered=True',
      'Launched=True',
      'Bound=True',
      'Booted=False',
    ]);
    expect(status.conditions?.at(-1)).toMatchObject({ reason: 'GuestStarting' });
  });

  it('tells when each stage was reached, in milliseconds', () => {
    expect(statusOf(undefined, started, at(3)).stages).toEqual({
      Placed: '2026-01-01T00:00:00.250Z',
      Registered: '2026-01-01T00:00:01.250Z',
      Launched: '2026-01-01T00:00:01.250Z',
      Bound: '2026-01-01T00:00:01.250Z',
    });
  });

  it('keeps a transition time while the condition stays as it is', () => {
    const first = statusOf(undefined, started, at(3));
    const later = statusOf(first, started, at(40));
    expect(later.conditions).toEqual(first.conditions);
  });

  it('keeps the time at which a stage was first reached', () => {
    const first = statusOf(undefined, started, at(3));
    const again = statusOf(first, { reached: { ...started.reached, Bound: at(30) } }, at(31));
    expect(again.stages?.Bound).toBe('2026-01-01T00:00:01.250Z');
  });

  it('says Failed, and why, when the machine died under its pod', () => {
    const status = statusOf(statusOf(undefined, running, at(20)), { ...running, failure: 'killed' }, at(50));
    expect(status.phase).toBe('Failed');
    expect(status.conditions?.find(({ type }) => type === 'Running')).toEqual({
      type: 'Running',
      status: 'False',
      reason: 'MachineFailed',
      message: 'killed',
      lastTransitionTime: '2026-01-01T00:00:50Z',
    });
  });
});

describe('a status is written', () => {
  const quiet = statusOf(undefined, started, at(3));
  const done = statusOf(quiet, running, at(20));
  const failed = statusOf(done, { ...running, failure: 'killed' }, at(50));
  const table: readonly (readonly [string, LifeStatus | undefined, LifeStatus, number, boolean])[] = [
    ['not while a start goes well', undefined, quiet, 3_000, false],
    ['when a stage takes long', undefined, quiet, 30_000, true],
    ['not again while it says the same', quiet, quiet, 60_000, false],
    ['at once when the pod runs', undefined, done, 1, true],
    ['not twice', done, done, 1, false],
    ['at once when the machine failed', done, failed, 1, true],
  ];
  it.each(table)('%s', (_name, before, after, sinceMs, expected) => {
    expect(worthWriting(before, after, sinceMs)).toBe(expected);
  });
});
