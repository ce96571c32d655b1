/** The product's command line, as its users run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestProduct } from './product.ts';

const CLOISTER = join(import.meta.dirname, '../../src/cli/main.ts');

/** How a command ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command that runs. */
interface Started {
  readonly child: ChildProcess;
  /** What it printed so far. */
  readonly out: () => string;
  readonly ended: Promise<Ended>;
}

/** Starts a command for the cluster of a test. */
export const startCloister = (
  { kubeconfig, machines }: Pick<TestProduct, 'kubeconfig' | 'machines'>,
  args: readonly string[],
  input = '',
): Started => {
  // A state folder of its own: the cluster of this host is none of the test's business.
  const env = { ...process.env, KUBECONFIG: kubeconfig, XDG_STATE_HOME: machines };
  const child = spawn(process.execPath, ['--import', 'tsx', CLOISTER, ...args], { env });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, out, err }));
  });
  child.stdin.end(input);
  return { child, out: () => out, ended };
};

/** Runs a command to its end. */
export const cloister = (
  product: Pick<TestProduct, 'kubeconfig' | 'machines'>,
  args: readonly string[],
  input = '',
): Promise<Ended> => startCloister(product, args, input).ended;
