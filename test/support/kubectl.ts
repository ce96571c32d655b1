/** The built kubectl against the cluster of this test run, as a user would type it. */
import { spawn } from 'node:child_process';
import { exec } from '../../src/host/exec.ts';
import { until } from '../../src/host/wait.ts';
import { component } from './run.ts';

/** How a kubectl is run. */
export interface KubectlOptions {
  readonly input?: string;
  readonly limitMs?: number;
}

/** kubectl against one cluster; each function throws ExecError with what kubectl said. */
export interface Kubectl {
  /** Runs kubectl and gives what it prints. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** An object as JSON. */
  read<T = Record<string, unknown>>(...args: readonly string[]): Promise<T>;
  /** Applies manifests: YAML, or objects. */
  apply(...manifests: readonly (string | object)[]): Promise<void>;
  /** Whether the object exists. */
  exists(...args: readonly string[]): Promise<boolean>;
  /** Waits until kubectl prints something for which the condition holds, and gives that. */
  kubectlUntil(
    args: readonly string[],
    holds: (output: string) => boolean,
    what: string,
    limitMs?: number,
  ): Promise<string>;
}

/**
 * @param kubeconfig path; without it the one of the environment, which is the cluster of this run
 * @param variables for programs that kubectl asks for credentials
 */
export const kubectlOf = (kubeconfig?: string, variables: Readonly<Record<string, string>> = {}): Kubectl => {
  const env = kubeconfig === undefined ? {} : { env: { ...variables, KUBECONFIG: kubeconfig } };
  const kubectl: Kubectl['kubectl'] = async (args, options = {}) =>
    (await exec(component('kubectl'), args, { limitMs: 60_000, ...env, ...options })).trim();
  return {
    kubectl,
    read: async <T>(...args: readonly string[]) =>
      JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T,
    apply: async (...manifests) => {
      const documents = manifests.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
      await kubectl(['apply', '-f', '-'], { input: documents.join('\n---\n') });
    },
    exists: async (...args) => (await kubectl(['get', ...args, '--ignore-not-found', '-o', 'name'])) !== '',
    kubectlUntil: async (args, holds, what, limitMs = 240_000) => {
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
    },
  };
};

export const { kubectl, read, apply, exists, kubectlUntil } = kubectlOf();

/**
 * Waits until a pod has printed something, and gives that, trimmed. Ready tells that its program was started,
 * which on a slow guest is a while before its first words.
 * @param run runs kubectl
 * @param pod words of `kubectl logs`: the pod's name, its namespace, its container
 */
export const printed = (
  run: (args: readonly string[]) => Promise<string>,
  ...pod: readonly string[]
): Promise<string> =>
  until(async () => (await run(['logs', ...pod])).trim(), {
    limitMs: 60_000,
    everyMs: 500,
    what: `kubectl logs ${pod.join(' ')} to show something`,
  });

/** Starts a kubectl that goes on until it is stopped, such as `port-forward`; gives its output and the way to stop it. */
export const kubectlInBackground = (args: readonly string[], input?: string): BackgroundKubectl => {
  const child = spawn(component('kubectl'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
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
