/**
 * Machines that are files: each is one JSON file in a directory, so they outlive a killed process as real
 * ones do. For thousands of machines in benchmarks and for fault tests; nothing runs in them.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, watch, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Firewall } from '../../core/firewall/firewall.ts';
import type { Noted } from '../../core/flows/refused.ts';
import type { Machine } from '../../core/machine/machine.ts';
import type { Capacity, Observation, Provider } from '../provider.ts';

/** What a machine's file says. */
export interface FakeMachine {
  readonly machine: Machine;
  readonly state: 'running' | 'dead';
  readonly seeded: boolean;
  readonly capped: boolean;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly reason?: string;
  /** Left out: closed. */
  readonly firewall?: Firewall;
  /** What its filter is said to have noted: nothing is ever sent to such a machine. */
  readonly refused?: readonly FakeNoted[];
  readonly accepted?: readonly FakeNoted[];
}

/** A connection in a file: `last` is RFC 3339. */
type FakeNoted = Omit<Noted, 'last'> & { readonly last: string };

const SUFFIX = '.json';

/** Path of a machine's file. */
const fakeMachineFile = (directory: string, name: string): string => join(directory, `${name}${SUFFIX}`);

/** Reads a machine's file; undefined when there is none. */
export const readFakeMachine = (directory: string, name: string): FakeMachine | undefined => {
  try {
    return JSON.parse(readFileSync(fakeMachineFile(directory, name), 'utf8')) as FakeMachine;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
};

/** Writes a machine's file in one step, so that a killed writer leaves the old one. */
export const writeFakeMachine = (directory: string, machine: FakeMachine): void => {
  const file = fakeMachineFile(directory, machine.machine.name);
  writeFileSync(`${file}.new`, JSON.stringify(machine));
  renameSync(`${file}.new`, file);
};

/** The provider over such a directory, which is made when missing. */
export const fakeProvider = (directory: string, capacity: Capacity): Provider => {
  mkdirSync(directory, { recursive: true });
  const change = (machine: Machine, difference: Partial<FakeMachine>): void => {
    const known = readFakeMachine(directory, machine.name);
    if (known !== undefined) writeFakeMachine(directory, { ...known, ...difference });
  };
  return {
    name: 'fake',
    capacity: async () => capacity,
    ensure: async (machine) => {
      if (readFakeMachine(directory, machine.name) !== undefined) return;
      const startedAt = new Date().toISOString();
      writeFakeMachine(directory, { machine, state: 'running', seeded: false, capped: false, startedAt });
    },
    feed: async (machine) => change(machine, { seeded: true }),
    cap: async (machine) => change(machine, { capped: true }),
    filter: async (name, firewall) => {
      const known = readFakeMachine(directory, name);
      if (known?.state !== 'running') return false;
      const changed = JSON.stringify(known.firewall) !== JSON.stringify(firewall);
      if (changed) writeFakeMachine(directory, { ...known, firewall });
      return changed;
    },
    noted: async ({ name }, which) =>
      (readFakeMachine(directory, name)?.[which] ?? []).map((one) => ({ ...one, last: new Date(one.last) })),
    enclose: async () => {},
    inspect: async (name) => observe(readFakeMachine(directory, name)),
    remove: async (name) => rmSync(fakeMachineFile(directory, name), { force: true }),
    list: async () =>
      readdirSync(directory)
        .filter((file) => file.endsWith(SUFFIX))
        .map((file) => basename(file, SUFFIX)),
    watch: (changed) => {
      const watcher = watch(directory, (_event, file) => {
        if (file?.endsWith(SUFFIX)) changed(basename(file, SUFFIX));
      });
      return () => watcher.close();
    },
  };
};

const observe = (machine: FakeMachine | undefined): Observation => {
  if (machine === undefined) return { state: 'absent' };
  if (machine.state === 'dead') return { state: 'dead', reason: machine.reason ?? 'the machine ended' };
  return { state: 'running', seeded: machine.seeded, startedAt: new Date(machine.startedAt) };
};
