/** The part of the controller that keeps filters, in a process of its own that can be killed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../src/host/wait.ts';
import type { KubeConfig } from '../../src/kube/credentials.ts';
import { launch, type Program } from './apiserver.ts';
import type { BareSite } from './bare-machine.ts';

/** What the process works with. */
export interface Keeping {
  readonly api: KubeConfig;
  readonly site: BareSite;
}

/** What it logs once it has read all objects. */
export const READY = 'keeping filters';

const MAIN = join(import.meta.dirname, 'keeper-main.ts');

const readies = (logFile: string): number => readFileSync(logFile, 'utf8').split(READY).length - 1;

/**
 * Starts it, and resolves once it has read all objects.
 * @param folder for its settings and its log, which goes on where an earlier one's ended
 * @param path where it finds programs
 */
export const startKeeper = async (
  folder: string,
  keeping: Keeping,
  path = process.env.PATH,
): Promise<Program> => {
  const settings = join(folder, 'keeping.json');
  writeFileSync(settings, JSON.stringify(keeping), { mode: 0o600 });
  const logFile = join(folder, 'env.log');
  const before = existsSync(logFile) ? readies(logFile) : 0;
  const args = [`PATH=${path}`, process.execPath, '--import', 'tsx', MAIN, settings];
  const program = await launch('env', folder, args);
  await until(() => readies(logFile) > before, { limitMs: 60_000, what: `${logFile} to say: ${READY}` });
  return program;
};
