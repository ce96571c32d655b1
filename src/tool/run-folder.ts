/** One folder for all temporary files of a run of tests: what a run leaves that was killed, the next one finds. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountBelow } from '../cluster/stop.ts';

/** Makes the folder of this process. */
export const makeRunFolder = (parent = tmpdir()): string =>
  mkdtempSync(join(parent, `cloister-tests-${process.pid}-`));

/** Removes one, and what is mounted in it. What cannot go is told of, and fails no test. */
export const removeRunFolder = async (folder: string): Promise<void> => {
  try {
    await unmountBelow(folder);
    rmSync(folder, { recursive: true });
  } catch (cause) {
    process.stderr.write(`${folder} cannot be removed: ${(cause as Error).message}\n`);
  }
};

/** Folders of this user's runs that have ended: no process has the pid in their name. */
export const leftRunFolders = (parent = tmpdir()): readonly string[] =>
  readdirSync(parent)
    .filter((name) => {
      const pid = /^cloister-tests-(\d+)-/.exec(name)?.[1];
      return pid !== undefined && !existsSync(`/proc/${pid}`);
    })
    .map((name) => join(parent, name))
    .filter((folder) => statSync(folder).uid === process.getuid?.());
