import { describe, expect, it } from 'vitest';
import type { MicroVM } from '../api/micro-vm.ts';
import { parseAddress } from '../core/net/ipv4.ts';
import { ApiError, ConnectionError } from '../kube/client.ts';
import { reservationsOf } from './reservations.ts';

const SIZE = { milliCpu: 250, memoryMiB: 512, storageGiB: 20 };
const PLACEMENT = { subnet: 'a', zone: 'z', region: 'r', address: '10.0.0.4' };
const machine = { size: SIZE, placement: PLACEMENT };
const ADDRESS = parseAddress(PLACEMENT.address) ?? Number.NaN;

const stored = (name: string): MicroVM => ({
  metadata: { name },
  spec: {
    pod: { namespace: 'n', name, uid: 'u' },
    profile: 'p',
    securityGroups: [],
    image: 'i',
    ...machine,
  },
});

/** MicroVMs as a watch brings them. */
const watched = () => {
  const objects = new Map<string, MicroVM>();
  let told: (name: string, now: MicroVM | undefined, before: MicroVM | undefined) => void = () => {};
  return {
    get: (name: string) => objects.get(name),
    list: () => [...objects.values()],
    onChange: (listener: typeof told) => {
      told = listener;
      return () => {};
    },
    put: (name: string, now: MicroVM | undefined): void => {
      const before = objects.get(name);
      if (now === undefined) objects.delete(name);
      else objects.set(name, now);
      told(name, now, before);
    },
  };
};

/** An API server whose answers are given one by one. */
const answers = () => {
  const waiting: ((outcome: Error | undefined) => void)[] = [];
  return {
    create: () =>
      new Promise<void>((resolve, reject) =>
        waiting.push((error) => (error === undefined ? resolve() : reject(error))),
      ),
    next: async (outcome?: Error): Promise<void> => {
      await expect.poll(() => waiting.length, { timeout: 5_000 }).toBeGreaterThan(0);
      waiting.shift()?.(outcome);
    },
  };
};

const refusal = new ApiError('no', { status: 403, reason: 'Forbidden' });

describe('an address that is reserved', () => {
  it('stays taken when its pod goes before the answer comes', async () => {
    const { create, next } = answers();
    const store = watched();
    const { reserve, forget, occupancy } = reservationsOf(store);
    const reserved = reserve('vm-1', machine, create);
    forget('vm-1');
    expect(occupancy.isTaken(ADDRESS)).toBe(true);
    store.put('vm-1', stored('vm-1'));
    await next();
    await reserved;
    expect(occupancy.isTaken(ADDRESS)).toBe(true);
    store.put('vm-1', undefined);
    expect(occupancy.isTaken(ADDRESS)).toBe(false);
  });

  it.each([
    ['a broken connection', new ConnectionError('broken', 'cut')],
    ['no answer in time', new ConnectionError('late', 'slow')],
    ['an error of the server', new ApiError('etcd', { status: 500, reason: 'InternalError' })],
    ['a time-out of the server', new ApiError('slow', { status: 504, reason: 'Timeout' })],
  ])(
    'stays taken after %s and a refusal of the next try, until the outcome is known',
    async (_, uncertain) => {
      const { create, next } = answers();
      const store = watched();
      const { reserve, forget, occupancy } = reservationsOf(store);
      const reserved = reserve('vm-1', machine, create);
      await next(uncertain);
      forget('vm-1');
      expect(occupancy.isTaken(ADDRESS)).toBe(true);
      await next(refusal);
      forget('vm-1');
      expect(occupancy.isTaken(ADDRESS)).toBe(true);
      store.put('vm-1', stored('vm-1'));
      await next();
      await reserved;
      expect(occupancy.isTaken(ADDRESS)).toBe(true);
    },
  );

  it('is given back when the first answer is a refusal', async () => {
    const { create, next } = answers();
    const { reserve, occupancy } = reservationsOf(watched());
    const reserved = reserve('vm-1', machine, create);
    await next(refusal);
    await expect(reserved).rejects.toBe(refusal);
    expect(occupancy.isTaken(ADDRESS)).toBe(false);
  });

  it('is given back when the machine came and went before the answer', async () => {
    const { create, next } = answers();
    const store = watched();
    const { reserve, occupancy } = reservationsOf(store);
    const reserved = reserve('vm-1', machine, create);
    store.put('vm-1', stored('vm-1'));
    store.put('vm-1', undefined);
    await next();
    await reserved;
    expect(occupancy.isTaken(ADDRESS)).toBe(false);
  });

  it('ends its waiting when the scheduler stops', async () => {
    const { create, next } = answers();
    const { reserve, stop } = reservationsOf(watched());
    const reserved = reserve('vm-1', machine, create);
    await next(new ConnectionError('broken', 'cut'));
    stop();
    await expect(reserved).rejects.toThrow();
  });
});
