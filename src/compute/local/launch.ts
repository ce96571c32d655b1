/** Starting `launch` in a machine's namespace and seeing it become QEMU. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNamespace } from '../../host/namespace.ts';
import { livePid } from '../../host/process.ts';
import { until } from '../../host/wait.ts';
import { ProviderError } from '../provider.ts';
import { type MachineDirectory, markExit, tail } from './directory.ts';

const script = join(import.meta.dirname, '../render/launch');

/** Exit codes of `launch` that mean another one was quicker: the machine runs, or has run. */
const OTHERS = [75, 76];

/** Time for the namespace's set-up and the disk overlay, before QEMU itself. */
const LIMIT_MS = 60_000;

/**
 * Runs `launch` detached, so that the machine outlives this program; while this program lives, it records how
 * the machine ends.
 * @throws ProviderError `host-unusable` with the script's own words when it fails before QEMU
 */
export const launch = async (namespace: string, directory: MachineDirectory): Promise<void> => {
  const logPath = join(directory.path, 'launch.log');
  const log = openSync(logPath, 'w', 0o600);
  const [program, args] = inNamespace(namespace, 'sh', [script, directory.path]);
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.unref();
  let failure: string | undefined;
  child.on('error', (cause) => {
    failure = cause.message;
  });
  child.on('exit', (code, signal) => {
    if (code !== null && OTHERS.includes(code)) return;
    if (livePid(directory.pidFile) === undefined && wasStarted(directory, child.pid)) {
      markExit(directory, { code, signal });
    } else {
      failure = `it ended with ${signal ?? `code ${code}`}: ${tail(directory, 'launch.log').join('; ')}`;
    }
  });
  await until(() => failure !== undefined || wasStarted(directory), {
    limitMs: LIMIT_MS,
    what: `${directory.path} to be launched; its log is ${logPath}`,
    everyMs: 20,
  });
  if (failure !== undefined) {
    throw new ProviderError('host-unusable', `the machine in ${directory.path} does not start: ${failure}`);
  }
};

/** Whether `launch` came as far as becoming QEMU; with a pid, whether it was that process. */
const wasStarted = (directory: MachineDirectory, pid?: number): boolean => {
  try {
    const [recorded] = readFileSync(directory.pidFile, 'utf8').split(' ');
    return pid === undefined || Number(recorded) === pid;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw cause;
  }
};
