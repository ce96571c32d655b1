/** Starting this repository's own TypeScript programs as processes of their own. */
import { fileURLToPath } from 'node:url';

/** Root folder of the repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/**
 * Command line of a script below the root; to be run with `cwd: ROOT`, where Node finds the loader.
 * @param script path below the root, such as `src/main/controller.ts`
 */
export const scriptCommand = (
  script: string,
  args: readonly string[] = [],
): readonly [string, readonly string[]] => [process.execPath, ['--import', 'tsx', script, ...args]];
