/** Runs a benchmark that stands below `test/bench`, with the upstream programs around it. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { ROOT, scriptCommand } from '../host/script.ts';
import { display } from './progress.ts';
import { type ClusterFlags, locate } from './settings.ts';
import { prepareComponents } from './up.ts';

/** Options of such a command. */
export type BenchScriptFlags = Pick<ClusterFlags, 'components' | 'kubernetesVersion'> & {
  /** File for the figures as JSON. */
  readonly json?: string;
};

/** @throws Error when a measurement fails */
export const benchScript = async (script: string, flags: BenchScriptFlags): Promise<void> => {
  const shown = display(process.stderr);
  let components: string;
  try {
    components = await prepareComponents(flags, locate('cloister').cache, shown.onProgress);
  } finally {
    shown.stop();
  }
  const report = flags.json === undefined ? [] : ['--json', resolve(flags.json)];
  const [program, args] = scriptCommand(script, report);
  const env = { ...process.env, CLOISTER_COMPONENTS: components };
  const code = await new Promise<number | null>((done, failed) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit', env });
    child.once('error', failed).once('exit', done);
  });
  if (code !== 0) throw new Error(`the benchmark ended with code ${code}`);
};
