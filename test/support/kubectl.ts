/**
 * The built kubectl against the cluster of this test run, as a user would type it. Set by the run's set-up:
 * CLOISTER_KUBECTL, the program, and KUBECONFIG.
 */
import { spawn } from 'node:child_process';
import { exec } from '../../src/host/exec.ts';
import { until } from '../../src/host/wait.ts';

const program = (): string => {
  const path = process.env.CLOISTER_KUBECTL;
  if (path === undefined)
    throw new Error('CLOISTER_KUBECTL must name a kubectl; run the suite by ./tool test');
  return path;
};

/** Runs kubectl and gives what it prints. @throws ExecError with what it said on failure */
export const kubectl = async (
  args: readonly string[],
  options: { readonly input?: string; readonly limitMs?: number } = {},
): Promise<string> => (await exec(program(), args, { limitMs: 60_000, ...options })).trim();

/** Starts a kubectl that goes on until it is stopped, such as `port-forward`; gives its output and the way to stop it. */
export const kubectlInBackground = (args: readonly string[], input?: string): BackgroundKubectl => {
  const child = spawn(program(), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  if (input !== undefined) child.stdin.write(input);
  return {
    output: () => output,
    write: (text) => void child.stdin.write(text),
    stop: async () => {
      child.kill('SIGTERM');
      await until(() => child.exitCode !== null || child.signalCode !== null, {
        limitMs: 10_000,
        what: `kubectl ${args.join(' ')} to end`,
      });
    },
  };
};

/** A kubectl that still runs. */
export interface BackgroundKubectl {
  output(): string;
  write(text: string): void;
  stop(): Promise<void>;
}

/** An object as JSON. @throws ExecError when it does not exist */
export const read = async <T = Record<string, unknown>>(...args: readonly string[]): Promise<T> =>
  JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T;

/** Applies manifests: YAML, or objects. */
export const apply = async (...manifests: readonly (string | object)[]): Promise<void> => {
  const documents = manifests.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
  await kubectl(['apply', '-f', '-'], { input: documents.join('\n---\n') });
};

/** Whether the object exists. */
export const exists = async (...args: readonly string[]): Promise<boolean> =>
  (await kubectl(['get', ...args, '--ignore-not-found', '-o', 'name'])) !== '';

/** Waits until kubectl prints something for which the condition holds, and gives that. */
export const kubectlUntil = async (
  args: readonly string[],
  holds: (output: string) => boolean,
  what: string,
  limitMs = 240_000,
): Promise<string> => {
  let last = '';
  try {
    return await until(
      async () => {
        last = await kubectl(args);
        return holds(last) ? last || ' ' : undefined;
      },
      { limitMs, everyMs: 500, what },
    );
  } catch (cause) {
    throw new Error(`${(cause as Error).message}; kubectl ${args.join(' ')} printed last: ${last}`, {
      cause,
    });
  }
};
