/**
 * Writing small OCI images: one layer of listed files, as an OCI image layout (OCI image specification 1.1,
 * image-layout.md). The same input gives the same digests on every machine.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';

/** One entry of the image's root file system. Parent folders must be listed before what is in them. */
export type Entry =
  | { readonly type: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly type: 'file'; readonly path: string; readonly content: string; readonly mode?: number }
  /** A copy of a file of this host. */
  | { readonly type: 'copy'; readonly path: string; readonly from: string; readonly mode?: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

/** How containers of the image run, as the `config` of the OCI image configuration. */
export interface Run {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
export const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
export const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

/** A blob: what it is, its digest (`sha256:…`) and its size in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Path of a blob inside a layout folder. */
export const blobPath = (layout: string, digest: string): string =>
  join(layout, 'blobs', digest.replace(':', '/'));

const EPOCH = new Date(0);

const addEntry = async (tar: Pack, entry: Entry): Promise<void> => {
  const header = { name: entry.path.replace(/^\//, ''), mtime: EPOCH, uid: 0, gid: 0 };
  if (entry.type === 'directory') tar.entry({ ...header, type: 'directory', mode: entry.mode ?? 0o755 });
  else if (entry.type === 'symlink') {
    tar.entry({ ...header, type: 'symlink', linkname: entry.target, mode: 0o777 });
  } else if (entry.type === 'file') tar.entry({ ...header, mode: entry.mode ?? 0o644 }, entry.content);
  else {
    const size = statSync(entry.from).size;
    const sink = tar.entry({ ...header, size, mode: entry.mode ?? 0o755 });
    await pipeline(createReadStream(entry.from), sink as unknown as NodeJS.WritableStream);
  }
};

const writeLayer = async (layout: string, entries: readonly Entry[]): Promise<Descriptor> => {
  const unnamed = join(layout, 'layer.tar');
  const hash = createHash('sha256');
  const tar = pack();
  const written = pipeline(
    Readable.from(tar),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(unnamed),
  );
  const added = (async () => {
    try {
      for (const entry of entries) await addEntry(tar, entry);
      tar.finalize();
    } catch (cause) {
      tar.destroy();
      throw cause;
    }
  })();
  const [first] = (await Promise.allSettled([added, written])).filter(({ status }) => status === 'rejected');
  if (first?.status === 'rejected') throw first.reason;
  const digest = `sha256:${hash.digest('hex')}`;
  const size = statSync(unnamed).size;
  renameSync(unnamed, blobPath(layout, digest));
  return { mediaType: LAYER_TYPE, digest, size };
};

/** Puts a JSON document into a layout's blobs. */
export const writeJsonBlob = (layout: string, mediaType: string, value: unknown): Descriptor => {
  const content = JSON.stringify(value);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  writeFileSync(blobPath(layout, digest), content);
  return { mediaType, digest, size: Buffer.byteLength(content) };
};

/** Writes `oci-layout` and an `index.json` that names one manifest. */
export const finishLayout = (layout: string, manifest: Descriptor): void => {
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [manifest] }),
  );
};

/**
 * Writes an image for linux/amd64 into an empty folder as an OCI layout.
 * @returns the digest of its manifest
 * @throws Error when a file to copy does not exist
 */
export const writeImage = async (layout: string, entries: readonly Entry[], run: Run): Promise<string> => {
  for (const entry of entries) if (entry.type === 'copy') statSync(entry.from); // before anything is written
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  const layer = await writeLayer(layout, entries);
  const config = writeJsonBlob(layout, CONFIG_TYPE, {
    architecture: 'amd64',
    os: 'linux',
    config: run,
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
    history: [{ created: EPOCH.toISOString(), created_by: 'cloister' }],
  });
  const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [layer] };
  const descriptor = writeJsonBlob(layout, MANIFEST_TYPE, manifest);
  finishLayout(layout, { ...descriptor, platform: { os: 'linux', architecture: 'amd64' } });
  return descriptor.digest;
};
