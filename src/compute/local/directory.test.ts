import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { machineDirectory, observe, readMachine } from './directory.ts';

const folder = mkdtempSync(join(tmpdir(), 'cloister-directory-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A host that loses its power keeps the names of new files, and not always what is in them. */
describe('a directory that a power failure emptied', () => {
  const directory = machineDirectory(folder, 'vm-1');
  mkdirSync(join(directory.path, 'log'), { recursive: true });
  for (const file of ['machine.json', 'exit', 'pid']) writeFileSync(join(directory.path, file), '');

  it('is one that was left half-made', () => {
    expect(readMachine(directory)).toBeUndefined();
  });

  it('is that of a dead machine', () => {
    expect(observe(directory)).toMatchObject({ state: 'dead' });
  });
});
