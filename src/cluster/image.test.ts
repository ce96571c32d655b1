import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exec } from '../host/exec.ts';
import { blobPath, type Descriptor, type Entry, writeImage } from './image.ts';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'cloister-image-'));
});
afterEach(() => rmSync(scratch, { recursive: true }));

const entries = (): readonly Entry[] => {
  writeFileSync(join(scratch, 'program'), 'x'.repeat(100_000));
  return [
    { type: 'directory', path: 'bin' },
    { type: 'copy', path: '/bin/program', from: join(scratch, 'program') },
    { type: 'symlink', path: 'bin/other', target: 'program' },
    { type: 'file', path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' },
  ];
};

const manifestOf = (layout: string): { config: Descriptor; layers: Descriptor[] } => {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  return JSON.parse(readFileSync(blobPath(layout, index.manifests[0]?.digest ?? ''), 'utf8')) as never;
};

test('the layer holds what was listed, with its modes and links', async () => {
  const layout = join(scratch, 'image');
  await writeImage(layout, entries(), { Cmd: ['/bin/program'] });
  const [layer] = manifestOf(layout).layers;
  const listing = await exec('tar', ['-tvf', blobPath(layout, layer?.digest ?? '')]);
  expect(
    listing
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' ')),
  ).toEqual([
    'drwxr-xr-x 0/0 0 1970-01-01 00:00 bin',
    '-rwxr-xr-x 0/0 100000 1970-01-01 00:00 bin/program',
    'lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/other -> program',
    '-rw-r--r-- 0/0 22 1970-01-01 00:00 etc/passwd',
  ]);
});

test('every digest is that of its content', async () => {
  const layout = join(scratch, 'image');
  await writeImage(layout, entries(), {});
  const { config, layers } = manifestOf(layout);
  for (const { digest, size } of [config, ...layers]) {
    const [sum] = (await exec('sha256sum', [blobPath(layout, digest)])).split(' ');
    expect(`sha256:${sum}`).toBe(digest);
    expect(readFileSync(blobPath(layout, digest)).length).toBe(size);
  }
});

test('the same input gives the same image', async () => {
  const digests = [];
  for (const name of ['one', 'two'])
    digests.push(await writeImage(join(scratch, name), entries(), { User: '1' }));
  expect(digests[0]).toBe(digests[1]);
  expect(await writeImage(join(scratch, 'three'), entries(), { User: '2' })).not.toBe(digests[0]);
});

test('a file that does not exist is an error', async () => {
  const missing: Entry = { type: 'copy', path: 'x', from: join(scratch, 'missing') };
  await expect(writeImage(join(scratch, 'image'), [missing], {})).rejects.toThrow(/ENOENT.*missing/);
});
