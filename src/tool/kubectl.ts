/** `./tool kubectl …`: the built kubectl as the cluster's administrator. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findCluster } from '../cluster/cluster.ts';
import { locate } from './settings.ts';

/** The command; ends this program with kubectl's own code. @throws Error when there is no cluster */
export const kubectl = (flags: { readonly name: string }, args: readonly string[]): Promise<void> => {
  const { name, state } = locate(flags.name);
  const { kubeconfig, record } = findCluster(name, state);
  const child = spawn(join(record.components, 'kubectl'), args, {
    stdio: 'inherit',
    env: { ...process.env, KUBECONFIG: kubeconfig },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // kubectl decides what a signal means; this program ends when it does.
    process.removeAllListeners(signal).on(signal, () => child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`kubectl does not start: ${cause.message}`, { cause })));
    child.once('exit', (code) => {
      process.exitCode = code ?? 1;
      resolve();
    });
  });
};
