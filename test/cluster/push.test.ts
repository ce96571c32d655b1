/** Images from files into a real registry, Debian's docker-registry. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openImage } from '../../src/cluster/archive.ts';
import { blobPath, type Descriptor, INDEX_TYPE, MANIFEST_TYPE, writeImage } from '../../src/cluster/image.ts';
import { registryProgram } from '../../src/cluster/packages.ts';
import { parseReference, pushImage } from '../../src/cluster/push.ts';
import { exec } from '../../src/host/exec.ts';
import { cacheFolder } from '../../src/host/folders.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

describe('pushing images', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-push-'));
  const image = join(folder, 'image');
  let registry: string;
  let digest: string;
  let scratch: string;

  beforeAll(async () => {
    const port = await freePort();
    registry = `http://127.0.0.1:${port}`;
    writeFileSync(
      join(folder, 'registry.yaml'),
      `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${folder}/store}}\nhttp: {addr: '127.0.0.1:${port}'}\n`,
    );
    await startDaemon({
      name: 'registry',
      program: await registryProgram(cacheFolder()),
      args: ['serve', join(folder, 'registry.yaml')],
      logFile: join(folder, 'log'),
      pidFile: join(folder, 'pid'),
    });
    await until(async () => (await fetch(`${registry}/v2/`)).ok, { limitMs: 20_000, what: 'the registry' });
    digest = await writeImage(image, [{ type: 'file', path: 'hello', content: 'hello' }], {
      Cmd: ['/hello'],
    });
  }, 60_000);

  afterAll(async () => {
    await stopDaemon(join(folder, 'pid'));
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    scratch = mkdtempSync(join(folder, 'scratch-'));
  });

  const stored = async (
    name: string,
    reference: string,
  ): Promise<{ digest: string | null; manifest: never }> => {
    const response = await fetch(`${registry}/v2/${name}/manifests/${reference}`, {
      headers: { accept: `${MANIFEST_TYPE}, ${INDEX_TYPE}` },
    });
    expect(response.status).toBe(200);
    return {
      digest: response.headers.get('docker-content-digest'),
      manifest: (await response.json()) as never,
    };
  };

  test('a layout folder arrives unchanged, and a second time as well', async () => {
    for (const _ of [1, 2]) {
      expect(await pushImage(registry, await openImage(image, scratch), 'team/app:1.0')).toBe(digest);
    }
    expect((await stored('team/app', '1.0')).digest).toBe(digest);
  });

  test('a tar file of a layout arrives unchanged', async () => {
    const file = join(scratch, 'image.tar');
    await exec('tar', ['-cf', file, '-C', image, '.']);
    await pushImage(registry, await openImage(file, scratch), 'tarred');
    expect((await stored('tarred', 'latest')).digest).toBe(digest);
  });

  test('an archive of docker save becomes an image with the same configuration and layers', async () => {
    const manifest = JSON.parse(readFileSync(blobPath(image, digest), 'utf8')) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    const saved = join(scratch, 'saved');
    mkdirSync(join(saved, 'abc'), { recursive: true });
    cpSync(blobPath(image, manifest.config.digest), join(saved, 'config.json'));
    cpSync(blobPath(image, manifest.layers[0]?.digest ?? ''), join(saved, 'abc/layer.tar'));
    writeFileSync(
      join(saved, 'manifest.json'),
      '[{"Config":"config.json","RepoTags":["x:1"],"Layers":["abc/layer.tar"]}]',
    );
    const file = join(scratch, 'saved.tar');
    await exec('tar', ['-cf', file, '-C', saved, '.']);
    await pushImage(registry, await openImage(file, scratch), 'saved:1');
    expect((await stored('saved', '1')).manifest).toMatchObject(manifest);
  });

  test('of an index whose other platforms are not in the archive, the part for this machine is pushed', async () => {
    const layout = join(scratch, 'layout');
    cpSync(image, layout, { recursive: true });
    const size = readFileSync(blobPath(layout, digest)).length;
    const platform = (architecture: string) => ({ os: 'linux', architecture });
    writeFileSync(
      join(layout, 'index.json'),
      JSON.stringify({
        schemaVersion: 2,
        mediaType: INDEX_TYPE,
        manifests: [
          {
            mediaType: MANIFEST_TYPE,
            digest: `sha256:${'0'.repeat(64)}`,
            size: 1,
            platform: platform('arm64'),
          },
          { mediaType: MANIFEST_TYPE, digest, size, platform: platform('amd64') },
        ],
      }),
    );
    expect(await pushImage(registry, layout, 'multi:1')).toBe(digest);
  });

  test.each([
    ['a file that does not exist', () => join(scratch, 'none'), /none does not exist/],
    ['a folder that is no image', () => scratch, /is no OCI image layout: it has no index.json/],
    ['a file that is no archive', () => join(folder, 'registry.yaml'), /is no readable tar file/],
  ])('%s is refused in one line', async (_, source, message) => {
    await expect(openImage(source(), scratch)).rejects.toThrow(message);
  });

  test('an archive with something else in it is refused', async () => {
    const file = join(scratch, 'other.tar');
    await exec('tar', ['-cf', file, '-C', folder, 'registry.yaml']);
    await expect(openImage(file, scratch)).rejects.toThrow(/holds no image/);
  });

  test('a link that leads out of an archive is not followed', async () => {
    const saved = join(scratch, 'saved');
    mkdirSync(saved);
    await exec('ln', ['-s', '/etc/hostname', join(saved, 'layer.tar')]);
    cpSync(join(folder, 'registry.yaml'), join(saved, 'config.json'));
    writeFileSync(join(saved, 'manifest.json'), '[{"Config":"config.json","Layers":["layer.tar"]}]');
    await expect(openImage(saved, scratch)).rejects.toThrow(/leads out of it/);
  });

  test('a blob that is missing is named', async () => {
    const layout = join(scratch, 'layout');
    cpSync(image, layout, { recursive: true });
    const blobs = readdirSync(join(layout, 'blobs/sha256')).filter((blob) => !digest.endsWith(blob));
    for (const blob of blobs) rmSync(join(layout, 'blobs/sha256', blob));
    await expect(pushImage(registry, layout, 'lacking:1')).rejects.toThrow(/lacks its blob sha256:/);
  });

  test.each(['Upper:1', 'a b', 'a:', ':1', 'host:5000/a:1', '../a'])('the name %j is refused', (text) => {
    expect(() => parseReference(text)).toThrow(/is no NAME:TAG/);
  });
});
