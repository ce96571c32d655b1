/** Reading images that other tools wrote: OCI layouts and archives, and archives of `docker save`. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { ExecError, exec } from '../host/exec.ts';
import {
  blobPath,
  CONFIG_TYPE,
  type Descriptor,
  finishLayout,
  LAYER_TYPE,
  MANIFEST_TYPE,
  writeJsonBlob,
} from './image.ts';

/**
 * An image as an OCI layout folder.
 * @param source an OCI layout folder, or a tar file of one, or a tar file of `docker save`
 * @param scratch an empty folder to unpack into; the result may lie there
 * @throws Error that says what the source is not
 */
export const openImage = async (source: string, scratch: string): Promise<string> => {
  if (!existsSync(source))
    throw new Error(`${source} does not exist: name a tar file or a folder with an image`);
  if (statSync(source).isDirectory()) {
    if (existsSync(join(source, 'index.json'))) return source;
    if (existsSync(join(source, 'manifest.json'))) return fromDocker(source, join(scratch, 'converted'));
    throw new Error(`${source} is no OCI image layout: it has no index.json`);
  }
  const unpacked = join(scratch, 'unpacked');
  mkdirSync(unpacked);
  try {
    await exec('tar', ['-x', '-f', source, '-C', unpacked, '--no-same-owner'], { limitMs: 600_000 });
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    throw new Error(`${source} is no readable tar file: ${cause.stderr.trim().split('\n')[0]}`, { cause });
  }
  if (existsSync(join(unpacked, 'index.json'))) return unpacked;
  if (existsSync(join(unpacked, 'manifest.json'))) return fromDocker(unpacked, join(scratch, 'converted'));
  throw new Error(
    `${source} holds no image: neither index.json (OCI) nor manifest.json (docker save) is in it`,
  );
};

/** An element of the `manifest.json` that `docker save` writes (moby image specification 1.2). */
interface DockerManifest {
  readonly Config: string;
  readonly Layers: readonly string[];
}

/** A file of an unpacked archive; links inside may not lead out of it. */
const inside = (folder: string, path: string): string => {
  const real = realpathSync(join(folder, path));
  if (!real.startsWith(realpathSync(folder) + sep)) throw new Error(`the archive's ${path} leads out of it`);
  return real;
};

const digestOf = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
};

/** Layers of `docker save` are tar files, by some tools compressed: the first bytes tell (RFC 1952). */
const layerType = (file: string): string => {
  const start = Buffer.alloc(2);
  const descriptor = openSync(file, 'r');
  readSync(descriptor, start, 0, 2, 0);
  closeSync(descriptor);
  return start[0] === 0x1f && start[1] === 0x8b ? `${LAYER_TYPE}+gzip` : LAYER_TYPE;
};

const fromDocker = async (folder: string, layout: string): Promise<string> => {
  const images = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as DockerManifest[];
  const [image] = images;
  if (image === undefined || images.length > 1) {
    throw new Error(`the archive holds ${images.length} images: save one image per archive`);
  }
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  const take = async (path: string, mediaType: (file: string) => string): Promise<Descriptor> => {
    const file = inside(folder, path);
    const digest = await digestOf(file);
    copyFileSync(file, blobPath(layout, digest));
    return { mediaType: mediaType(file), digest, size: statSync(file).size };
  };
  const config = await take(image.Config, () => CONFIG_TYPE);
  const layers: Descriptor[] = [];
  for (const layer of image.Layers) layers.push(await take(layer, layerType));
  finishLayout(
    layout,
    writeJsonBlob(layout, MANIFEST_TYPE, { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers }),
  );
  return layout;
};
