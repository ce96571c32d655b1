/** Putting rules in place around a running machine. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ExecError, exec } from '../../host/exec.ts';
import { inNamespace, namespaceExists } from '../../host/namespace.ts';
import { ProviderError } from '../provider.ts';
import { type MachineDirectory, writeWhole } from './directory.ts';

/** Longest part of the kernel's or nft's words that an error carries. */
const WORDS_MOST = 300;

/**
 * Gives a machine's namespace rules in one transaction, unless its directory says that it has them. The
 * directory goes with the machine, and so does what it says; while rules are being put in place it says nothing,
 * so that nobody who comes after a crash takes those before for those in force.
 * @returns whether they were put in place now; false, too, when the machine went meanwhile
 * @throws ProviderError `rules-refused`; the rules before are still in force
 */
export const putInPlace = async (
  namespace: string,
  directory: MachineDirectory,
  rules: string,
): Promise<boolean> => {
  const file = join(directory.path, 'firewall.nft');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (before === rules) return false;
  rmSync(file, { force: true });
  try {
    const [program, args] = inNamespace(namespace, 'nft', ['-f', '-']);
    await exec(program, args, { input: rules });
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    if (!namespaceExists(namespace) || !existsSync(directory.path)) return false;
    // Ended by a limit, it may have come as far as the kernel: then nobody knows what is in force.
    if (before !== undefined && cause.code !== null) writeWhole(file, before);
    const words = cause.stderr.trim().slice(0, WORDS_MOST);
    throw new ProviderError('rules-refused', `the rules of ${namespace} were refused: ${words}`, { cause });
  }
  if (!existsSync(directory.path)) return false;
  writeWhole(file, rules);
  return true;
};
