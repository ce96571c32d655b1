/** A machine's directory: what is in it, how it is written, and what it tells about a machine that ran. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../../core/machine/machine.ts';
import { livePid } from '../../host/process.ts';
import type { Observation } from '../provider.ts';
import { FILES } from '../render/qemu.ts';

/** How a machine's process ended, when somebody was there to see it. */
interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** One machine's directory below the provider's. Nothing is cached: every question looks at the disk. */
export interface MachineDirectory {
  readonly path: string;
  readonly pidFile: string;
}

/** The directory of a machine. @throws Error when the name could lead out of `machines` */
export const machineDirectory = (machines: string, name: string): MachineDirectory => {
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name)) throw new Error(`${JSON.stringify(name)} is no machine name`);
  const path = join(machines, name);
  return { path, pidFile: join(path, 'pid') };
};

/** Writes a file whole or not at all, readable by root only. */
export const writeWhole = (path: string, content: string): void => {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

/** Names of all machines that have a directory. */
export const directories = (machines: string): readonly string[] =>
  existsSync(machines) ? readdirSync(machines) : [];

/** Writes the rendered files, `machine.json` last: a directory without it was left half-made. */
export const writeDirectory = (
  directory: MachineDirectory,
  machine: Machine,
  files: Readonly<Record<string, string>>,
): void => {
  mkdirSync(directory.path, { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(files)) writeWhole(join(directory.path, name), content);
  writeWhole(join(directory.path, 'machine.json'), `${JSON.stringify(machine, null, 2)}\n`);
};

/** What a file says; undefined when it is missing, or was emptied by a power failure just after it was written. */
const readWhole = (directory: MachineDirectory, file: string): unknown => {
  const path = join(directory.path, file);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The machine that a directory was made for; undefined when it was left half-made. */
export const readMachine = (directory: MachineDirectory): Machine | undefined =>
  readWhole(directory, 'machine.json') as Machine | undefined;

/** Records that the guest has its first seed. */
export const markSeeded = (directory: MachineDirectory): void =>
  writeWhole(join(directory.path, 'seeded'), '');

/** Records how the process ended, unless the directory has gone meanwhile. */
export const markExit = (directory: MachineDirectory, exit: Exit): void => {
  if (existsSync(directory.path)) writeWhole(join(directory.path, 'exit'), JSON.stringify(exit));
};

/** The last lines of a log in the directory: printable characters only, for the guest wrote some of them. */
export const tail = (directory: MachineDirectory, file: string, lines = 5): readonly string[] => {
  const path = join(directory.path, file);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'latin1')
    .slice(-8192)
    .replace(/[^\x20-\x7e\n]/g, '')
    .trim()
    .split('\n')
    .slice(-lines);
};

/** A machine as its directory and the process table show it. */
export const observe = (directory: MachineDirectory): Observation => {
  if (!existsSync(directory.pidFile)) return { state: 'prepared' };
  if (livePid(directory.pidFile) === undefined) return { state: 'dead', reason: deathReason(directory) };
  return {
    state: 'running',
    seeded: existsSync(join(directory.path, 'seeded')),
    startedAt: statSync(directory.pidFile).mtime,
  };
};

const bootTime = (): number => {
  const seconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1];
  return Number(seconds) * 1000;
};

/**
 * Why a machine ended, in one sentence: what its kernel said last, then how the process ended, then what its
 * surroundings tell. A machine that was killed while nobody watched leaves no trace, and the sentence says so.
 */
const deathReason = (directory: MachineDirectory): string => {
  const console = tail(directory, FILES.console, 60);
  const panic = console.find((line) => line.includes('Kernel panic'));
  if (panic !== undefined)
    return `The guest's kernel panicked: ${panic.replace(/^.*Kernel panic - /, '').slice(0, 200)}.`;
  const fatal = console.find((line) => /\] fatal: |^cloister: /.test(line));
  if (fatal !== undefined)
    return `The guest gave up: ${fatal.replace(/^.*(fatal|cloister): /, '').slice(0, 200)}.`;
  const exit = readWhole(directory, 'exit') as Exit | undefined;
  if (exit?.signal) return `The virtual machine was ended by ${exit.signal}.`;
  const said = tail(directory, FILES.qemu, 1)[0] ?? '';
  const signal = /terminating on signal (\d+)/.exec(said)?.[1];
  if (signal !== undefined) return `The virtual machine was ended by signal ${signal}.`;
  if (exit?.code) return `QEMU ended with code ${exit.code}${said === '' ? '' : `: ${said.slice(0, 200)}`}.`;
  if (exit?.code === 0) return 'The guest shut itself down.';
  if (statSync(directory.pidFile).mtimeMs < bootTime()) return 'The host was restarted.';
  return 'The virtual machine was ended from outside while nobody watched; it left no reason.';
};
