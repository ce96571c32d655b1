/** Running programs to their end, under a limit, with errors that say what, where and why. */
import { spawn } from 'node:child_process';

/** How a program is run. */
export interface ExecOptions {
  readonly cwd?: string;
  /** Variables added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text for standard input; without it the program reads nothing. */
  readonly input?: string | Buffer;
  /** Milliseconds after which the program and its children are ended, and waited for no more. Default one minute. */
  readonly limitMs?: number;
  /** Called for each whole line that the program prints on either stream. */
  readonly onLine?: (line: string) => void;
}

/** A program that ended badly. `code` is null when it was ended by a signal or a limit. */
export class ExecError extends Error {
  readonly command: string;
  readonly code: number | null;
  readonly stderr: string;
  constructor(command: string, code: number | null, stderr: string, why: string) {
    super(`${command}: ${why}${stderr.trim() === '' ? '' : `: ${tail(stderr)}`}`);
    this.name = 'ExecError';
    this.command = command;
    this.code = code;
    this.stderr = stderr;
  }
}

/** Programs that run now. They are in process groups of their own, so nobody else ends them with us. */
const running = new Set<number>();

const end = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch {
    // ended by itself a moment ago
  }
};

process.on('exit', () => {
  for (const pid of running) end(pid, 'SIGTERM');
});

const tail = (text: string): string => text.trim().split('\n').slice(-8).join('\n');

/**
 * Runs a program and gives its standard output.
 * @throws ExecError when it is missing, ends with another code than 0, or takes longer than its limit
 */
export const exec = async (
  program: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<string> => {
  const limitMs = options.limitMs ?? 60_000;
  const command = [program, ...args].join(' ').slice(0, 300);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    if (child.pid !== undefined) running.add(child.pid);
    const collected = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      let rest = '';
      child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
        collected[stream] += chunk;
        if (options.onLine === undefined) return;
        const lines = (rest + chunk).split(/[\r\n]+/);
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') options.onLine(line);
      });
    }
    const timer = setTimeout(() => {
      if (child.pid !== undefined) end(child.pid, 'SIGKILL');
      // Not waited for any more: a program may be stuck in the kernel, or another one may hold its output.
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      reject(new ExecError(command, null, collected.stderr, `not finished after ${limitMs / 1000} s`));
    }, limitMs);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new ExecError(command, null, '', cause.message));
    });
    child.on('close', (code, signal) => {
      if (child.pid !== undefined) running.delete(child.pid);
      clearTimeout(timer);
      if (code === 0) resolve(collected.stdout);
      else {
        const why = `ended with ${signal ?? `code ${code}`}`;
        reject(new ExecError(command, code, collected.stderr || collected.stdout, why));
      }
    });
    if (child.stdin !== null) {
      child.stdin.on('error', () => {}); // a program may end without reading its input; its code tells
      child.stdin.end(options.input);
    }
  });
};
