/** The repository's door, as its users open it. */
import { join } from 'node:path';
import { exec } from '../../src/host/exec.ts';

const TOOL = join(import.meta.dirname, '../../tool');

/** Runs a command of `./tool` and gives what it prints. */
export const tool = (...args: readonly string[]): Promise<string> => exec(TOOL, args, { limitMs: 300_000 });
