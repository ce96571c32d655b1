/**
 * Long-lived programs, known by pid *and* start time, so that a recycled pid is never mistaken for ours.
 * The record `<pid> <start time>` stands in a file; the program outlives whoever started it.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { until } from './wait.ts';

/** A program to start and leave running. */
export interface Daemon {
  /** Named in errors. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** File that receives both output streams, appended. */
  readonly logFile: string;
  /** File that records pid and start time. */
  readonly pidFile: string;
  /** File descriptors passed on as 3, 4, …: listening sockets, for example. */
  readonly inherit?: readonly number[];
}

/** Start time in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)); undefined when gone or a zombie. */
const startTime = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
};

/** The pid of the program that a pid file records, when exactly that program still runs. */
export const livePid = (pidFile: string): number | undefined => {
  if (!existsSync(pidFile)) return undefined;
  const [pid, started] = readFileSync(pidFile, 'utf8').trim().split(' ');
  return pid !== undefined && started !== undefined && startTime(Number(pid)) === started
    ? Number(pid)
    : undefined;
};

/** Records a running program in a pid file. @throws Error when there is no such process */
export const recordPid = (pidFile: string, pid: number): void => {
  const started = startTime(pid);
  if (started === undefined)
    throw new Error(`process ${pid} ended before it could be recorded in ${pidFile}`);
  writeFileSync(pidFile, `${pid} ${started}\n`, { mode: 0o600 });
};

/** Starts a program in a session of its own unless the one recorded still runs. Gives its pid. */
export const startDaemon = async (daemon: Daemon): Promise<number> => {
  const running = livePid(daemon.pidFile);
  if (running !== undefined) return running;
  const log = openSync(daemon.logFile, 'a', 0o600);
  try {
    const child = spawn(daemon.program, daemon.args, {
      cwd: daemon.cwd,
      env: { ...process.env, ...daemon.env },
      stdio: ['ignore', log, log, ...(daemon.inherit ?? [])],
      detached: true,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new Error(`${daemon.name} does not start: ${cause.message}`)));
    });
    child.unref();
    recordPid(daemon.pidFile, child.pid as number);
    return child.pid as number;
  } finally {
    closeSync(log);
  }
};

/**
 * Ends the recorded program: SIGTERM, then SIGKILL after `graceMs`. Resolves when it is gone and the record
 * removed; does nothing when it does not run.
 */
export const stopDaemon = async (pidFile: string, graceMs = 10_000): Promise<void> => {
  const gone = () => livePid(pidFile) === undefined;
  const kill = (signal: NodeJS.Signals): void => {
    const pid = livePid(pidFile);
    if (pid !== undefined) process.kill(pid, signal);
  };
  kill('SIGTERM');
  const ended = await until(gone, { limitMs: graceMs, what: `${pidFile} to end` }).then(
    () => true,
    () => false,
  );
  if (!ended) {
    kill('SIGKILL');
    await until(gone, { limitMs: 10_000, what: `the process of ${pidFile} to end after SIGKILL` });
  }
  rmSync(pidFile, { force: true });
};
