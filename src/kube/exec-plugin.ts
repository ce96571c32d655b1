/**
 * Credential plugins that kubeconfigs name, such as `aws eks get-token` (Kubernetes documentation "Authentication",
 * client-go credential plugins).
 */
import { spawnSync } from 'node:child_process';

/** A program that prints an ExecCredential. */
export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A token, and for how many milliseconds it counts. */
interface ExecToken {
  readonly token: string;
  readonly lastsMs: number;
}

/** How long a plugin may take; those of clouds ask a server. */
const LIMIT_MS = 30_000;

/**
 * Runs the plugin, which may not ask anybody anything.
 * @throws Error naming the command and what is wrong
 */
export const runPlugin = ({ apiVersion, command, args, env }: ExecPlugin): ExecToken => {
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
  });
  const what = `the kubeconfig's plugin ${[command, ...args].join(' ')}`;
  if (error !== undefined) throw new Error(`${what} does not run: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${what} ended with code ${status}: ${stderr.trim()}`);
  return tokenOf(stdout, what);
};

const tokenOf = (text: string, what: string): ExecToken => {
  const { token, expirationTimestamp } = statusOf(text);
  if (typeof token !== 'string') throw new Error(`${what} prints no ExecCredential with a token`);
  const lastsMs =
    typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) - Date.now() : Infinity;
  if (Number.isNaN(lastsMs)) throw new Error(`${what} prints no time as the end of its token`);
  return { token, lastsMs };
};

const statusOf = (text: string): { readonly token?: unknown; readonly expirationTimestamp?: unknown } => {
  try {
    return JSON.parse(text)?.status ?? {};
  } catch {
    return {}; // no JSON, so no credential: the caller says so
  }
};
