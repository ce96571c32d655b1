import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { brokenLinks } from './links.ts';

const root = mkdtempSync(join(tmpdir(), 'cloister-links-'));
afterAll(() => rmSync(root, { recursive: true }));

test('a link to nowhere is told, and a decision that the index leaves out', () => {
  mkdirSync(join(root, 'docs/adr'), { recursive: true });
  const write = (file: string, text: string) => writeFileSync(join(root, file), text);
  write(
    'README.md',
    '[guide](docs/guide.md), [part](docs/guide.md#part), [web](https://example.com/x.md), [gone](gone.md)',
  );
  write('docs/guide.md', 'See [one](adr/0001-one.md) and [the door](../README.md).');
  write('docs/adr/README.md', '[1](0001-one.md)');
  write('docs/adr/0001-one.md', '');
  write('docs/adr/0002-two.md', '');
  expect(brokenLinks(root)).toEqual([
    'README.md: there is no gone.md',
    'docs/adr/README.md: docs/adr/0002-two.md is not in it',
  ]);
});
