import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Queue } from './queue.ts';

const drain = (queue: Queue): string[] => {
  const keys: string[] = [];
  for (let key = queue.take(); key !== undefined; key = queue.take()) keys.push(key);
  return keys;
};

describe('Queue', () => {
  let signals = 0;
  let queue: Queue;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    signals = 0;
    queue = new Queue(() => signals++);
  });
  afterEach(() => {
    queue.close();
    vi.useRealTimers();
  });

  it('gives each key once, in the order in which they became ready', () => {
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(signals).toBe(3);
    expect(drain(queue)).toEqual(['a', 'b', 'c']);
  });

  it('gives a key when its time has come and not before', () => {
    queue.add('a', 1_000);
    vi.advanceTimersByTime(999);
    expect(queue.take()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(queue.take()).toBe('a');
  });

  it('lets the earliest of several times win', () => {
    queue.add('a', 1_000);
    queue.add('a', 100);
    queue.add('a', 5_000);
    vi.advanceTimersByTime(100);
    expect(drain(queue)).toEqual(['a']);
    queue.release('a');
    vi.advanceTimersByTime(10_000);
    expect(queue.take()).toBeUndefined();
  });

  it('lets "now" win over a later time', () => {
    queue.add('a', 1_000);
    queue.add('a');
    expect(drain(queue)).toEqual(['a']);
    queue.release('a');
    vi.advanceTimersByTime(10_000);
    expect(queue.take()).toBeUndefined();
  });

  it('holds a key while it is worked on and gives it again afterwards when it was added meanwhile', () => {
    queue.add('a');
    expect(queue.take()).toBe('a');
    queue.add('a');
    queue.add('a');
    expect(queue.take()).toBeUndefined();
    expect(queue.size).toBe(1);
    queue.release('a');
    expect(drain(queue)).toEqual(['a']);
    queue.release('a');
    expect(queue.take()).toBeUndefined();
  });

  it('counts a time that comes while the key is held as added', () => {
    queue.add('a');
    queue.take();
    queue.add('a', 50);
    vi.advanceTimersByTime(60);
    expect(queue.take()).toBeUndefined();
    queue.release('a');
    expect(queue.take()).toBe('a');
  });

  it('does not wait for a time that lies beyond what timers can do', () => {
    queue.add('a', Number.MAX_SAFE_INTEGER);
    vi.advanceTimersByTime(60_000);
    expect(queue.take()).toBeUndefined();
  });

  it('forgets everything when it is closed', () => {
    queue.add('a');
    queue.add('b', 10);
    queue.close();
    queue.add('c');
    vi.advanceTimersByTime(100);
    expect(drain(queue)).toEqual([]);
    expect(queue.size).toBe(0);
  });
});
