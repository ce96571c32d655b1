import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { leftRunFolders, makeRunFolder, removeRunFolder } from './run-folder.ts';

const parent = mkdtempSync(join(tmpdir(), 'cloister-run-folder-'));
afterAll(() => rmSync(parent, { recursive: true }));

test('the folders of runs that ended are left, and nothing of a run that goes on or of others', async () => {
  makeRunFolder(parent);
  // Pids end at 2^22 (proc(5), pid_max): no process has this one.
  const ended = join(parent, 'cloister-tests-4194305-abc');
  for (const folder of [
    join(ended, 'cloister-test-1'),
    join(parent, 'cloister-tests'),
    join(parent, 'other-1-'),
  ])
    mkdirSync(folder, { recursive: true });
  expect(leftRunFolders(parent)).toEqual([ended]);
  await removeRunFolder(ended);
  expect(leftRunFolders(parent)).toEqual([]);
});
