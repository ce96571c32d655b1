import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fate, fateOf, type Sight } from './fate.ts';

const LIMIT = 300_000;
const fresh: Sight = {
  machine: 'running',
  ageMs: 5_000,
  joined: false,
  node: 'present',
  leaving: false,
  pod: { bound: 'here', leaving: false, ended: false },
};
const joined: Sight = { ...fresh, joined: true };
const pod = (over: Partial<NonNullable<Sight['pod']>>): Pick<Sight, 'pod'> => ({
  pod: { bound: 'here', leaving: false, ended: false, ...over },
});
const { pod: _, ...podless } = joined;

describe('a machine', () => {
  const table: readonly (readonly [string, Sight, Fate['next']])[] = [
    [
      'advances while nothing of it exists',
      { ...fresh, machine: 'absent', ...pod({ bound: 'no' }) },
      'advance',
    ],
    ['advances while it boots', fresh, 'advance'],
    ['advances while its pod runs', joined, 'advance'],
    ['is restarted when it dies before its kubelet joined', { ...fresh, machine: 'dead' }, 'restart'],
    ['is restarted when its kubelet does not report in time', { ...fresh, ageMs: LIMIT + 1 }, 'restart'],
    ['fails its pod when it dies under it', { ...joined, machine: 'dead' }, 'fail-pod'],
    ['fails its pod when nothing of it is left', { ...joined, machine: 'absent' }, 'fail-pod'],
    ['goes on for a pod that has ended', { ...joined, ...pod({ ended: true }) }, 'advance'],
    ['stays dead once its pod has failed', { ...joined, machine: 'dead', ...pod({ ended: true }) }, 'rest'],
    ['is reclaimed when its pod object is gone', podless, 'reclaim'],
    [
      'is reclaimed when its pod was bound elsewhere',
      { ...fresh, ...pod({ bound: 'elsewhere' }) },
      'reclaim',
    ],
    [
      'is reclaimed when another machine holds its address',
      { ...fresh, machine: 'absent', node: 'taken', ...pod({ bound: 'no' }) },
      'reclaim',
    ],
    [
      'is reclaimed when it is deleted before its pod is bound',
      { ...fresh, leaving: true, ...pod({ bound: 'no' }) },
      'reclaim',
    ],
    [
      'stays valid while the kubelet ends a pod that is deleted',
      { ...joined, ...pod({ leaving: true }) },
      'keep',
    ],
    [
      'releases a deleted pod when it died',
      { ...joined, machine: 'dead', ...pod({ leaving: true }) },
      'release-pod',
    ],
    ['releases a deleted pod that never ran', { ...fresh, ...pod({ leaving: true }) }, 'release-pod'],
    ['deletes its pod when its Node was deleted', { ...joined, node: 'absent' }, 'delete-pod'],
    ['deletes its pod when its Node is being deleted', { ...joined, node: 'leaving' }, 'delete-pod'],
    ['deletes its pod when its MicroVM is deleted', { ...joined, leaving: true }, 'delete-pod'],
    [
      'needs no Node before its pod is bound',
      { ...fresh, node: 'absent', ...pod({ bound: 'no' }) },
      'advance',
    ],
  ];
  it.each(table)('%s', (_name, sight, next) => {
    expect(fateOf(sight, LIMIT).next).toBe(next);
  });

  it('tells why it died', () => {
    const sight: Sight = { ...joined, machine: 'dead', reason: 'QEMU was ended by SIGKILL' };
    expect(fateOf(sight, LIMIT)).toEqual({ next: 'fail-pod', reason: 'QEMU was ended by SIGKILL' });
  });
});

describe('whatever is seen', () => {
  const sights: fc.Arbitrary<Sight> = fc.record(
    {
      machine: fc.constantFrom('absent', 'prepared', 'running', 'dead'),
      ageMs: fc.integer({ min: 0, max: 2 * LIMIT }),
      joined: fc.boolean(),
      node: fc.constantFrom('present', 'absent', 'leaving', 'taken'),
      leaving: fc.boolean(),
      pod: fc.record({
        bound: fc.constantFrom('no', 'here', 'elsewhere'),
        leaving: fc.boolean(),
        ended: fc.boolean(),
      }),
    },
    { requiredKeys: ['machine', 'ageMs', 'joined', 'node', 'leaving'] },
  );

  it('a machine is taken away only when its pod is gone, elsewhere, or free to be placed anew', () => {
    fc.assert(
      fc.property(sights, (sight) => {
        const orphan = sight.pod === undefined || sight.pod.bound === 'elsewhere';
        const free = sight.pod?.bound === 'no' && (sight.leaving || sight.node === 'taken');
        expect(fateOf(sight, LIMIT).next === 'reclaim').toBe(orphan || free);
      }),
    );
  });

  it('a machine is never restarted once its kubelet has joined', () => {
    fc.assert(
      fc.property(sights, (sight) => {
        if (sight.joined) expect(fateOf(sight, LIMIT).next).not.toBe('restart');
      }),
    );
  });
});
