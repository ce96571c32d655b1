import { describe, expect, it } from 'vitest';
import type { Machine } from '../core/machine/machine.ts';
import type { Pod } from '../core/pod.ts';
import { whenLeaving } from './leaving.ts';

const machine = { pod: { namespace: 'apps', name: 'web', uid: 'u1' } } as Machine;
const pod = (metadata: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { namespace: 'apps', name: 'web', uid: 'u1', ...metadata },
  spec: { containers: [] },
});

/** As much of a store as is looked at. */
const storeOf = (first: Pod | undefined) => {
  let held = first;
  const listeners = new Set<() => void>();
  return {
    pods: {
      get: () => held,
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    } as never,
    listeners,
    become: (next: Pod | undefined) => {
      held = next;
      for (const listener of listeners) listener();
    },
  };
};

describe('a pod that leaves', () => {
  it.each([
    ['is being deleted', pod({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['is gone', undefined],
    ['is another one of the same name', pod({ uid: 'u2' })],
  ])('is told when it %s, then or already', (_, after) => {
    const store = storeOf(pod());
    const { signal } = whenLeaving(machine, store);
    store.become(pod({ labels: { changed: 'yes' } }));
    expect(signal.aborted).toBe(false);
    store.become(after);
    expect(signal.reason).toMatchObject({ message: 'pod apps/web is being deleted' });
    expect(whenLeaving(machine, storeOf(after)).signal.aborted).toBe(true);
  });

  it('is not looked at any more once that is stopped', () => {
    const store = storeOf(pod());
    whenLeaving(machine, store).stop();
    expect(store.listeners.size).toBe(0);
  });
});
