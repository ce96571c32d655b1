/**
 * The pause image, and a containerd state that already holds it: prepared once on the host by the same
 * containerd, so that no guest pulls or imports it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { exec } from '../host/exec.ts';
import { startDaemon, stopDaemon } from '../host/process.ts';
import { until } from '../host/wait.ts';

/** Reference of the pause image in the guest's containerd; also written in its config.toml. */
export const PAUSE_IMAGE = 'cloister.internal/pause:1';

const tar = async (files: readonly { name: string; mode: number; content: Buffer }[]): Promise<Buffer> => {
  const archive = pack();
  for (const { name, mode, content } of files) archive.entry({ name, mode, mtime: new Date(0) }, content);
  archive.finalize();
  return buffer(archive);
};

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/**
 * An OCI image layout archive (OCI image specification 1.1) of one layer with one program: catatonit, which
 * reaps what is orphaned in the pod's process namespace and waits for the end.
 */
const pauseArchive = async (catatonit: Buffer): Promise<Buffer> => {
  const layer = await tar([{ name: 'pause', mode: 0o755, content: catatonit }]);
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const config = json({
    architecture: 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/pause', '-P'], User: '65535:65535' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
  });
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: `sha256:${digest(bytes)}`,
    size: bytes.length,
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('config.v1+json', config),
    layers: [descriptor('layer.v1.tar', layer)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('manifest.v1+json', manifest),
        annotations: { 'io.containerd.image.name': PAUSE_IMAGE, 'org.opencontainers.image.ref.name': '1' },
      },
    ],
  });
  const blob = (content: Buffer) => ({ name: `blobs/sha256/${digest(content)}`, mode: 0o644, content });
  return tar([
    { name: 'oci-layout', mode: 0o644, content: json({ imageLayoutVersion: '1.0.0' }) },
    { name: 'index.json', mode: 0o644, content: index },
    blob(layer),
    blob(config),
    blob(manifest),
  ]);
};

/**
 * Runs containerd on a state directory until the pause image is unpacked in it.
 * @param state becomes `/var/lib/containerd` of every guest
 * @throws ExecError or TimeoutError with the place of containerd's log
 */
export const prepareContainerdState = async (paths: {
  readonly binaries: string;
  readonly work: string;
  readonly state: string;
  readonly catatonit: string;
}): Promise<void> => {
  mkdirSync(paths.work, { recursive: true });
  const at = (name: string): string => join(paths.work, name);
  writeFileSync(at('pause.tar'), await pauseArchive(readFileSync(paths.catatonit)));
  writeFileSync(
    at('config.toml'),
    [
      'version = 3',
      `root = ${JSON.stringify(paths.state)}`,
      `state = ${JSON.stringify(at('run'))}`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]',
      `[grpc]\naddress = ${JSON.stringify(at('containerd.sock'))}`,
      `[ttrpc]\naddress = ${JSON.stringify(at('containerd.ttrpc'))}\n`,
    ].join('\n'),
  );
  const ctr = (...args: string[]) =>
    exec(join(paths.binaries, 'ctr'), ['--address', at('containerd.sock'), '--namespace', 'k8s.io', ...args]);
  await startDaemon({
    name: 'containerd',
    program: join(paths.binaries, 'containerd'),
    args: ['--config', at('config.toml')],
    logFile: at('log'),
    pidFile: at('pid'),
  });
  try {
    await until(async () => (await ctr('version')) !== '', {
      limitMs: 30_000,
      what: `containerd to answer while the pause image is prepared; its log is ${at('log')}`,
    });
    await ctr('images', 'import', '--snapshotter', 'overlayfs', at('pause.tar'));
  } finally {
    await stopDaemon(at('pid'));
  }
  rmSync(paths.work, { recursive: true });
};

/**
 * The OCI runtime specification that every container starts from: containerd's default with the limits of
 * spec/fargate.md §8, soft 1024 and hard 65535 open files and processes.
 */
export const baseRuntimeSpec = async (binaries: string): Promise<string> => {
  const spec = JSON.parse(await exec(join(binaries, 'ctr'), ['oci', 'spec'])) as {
    process: { rlimits?: unknown };
  };
  spec.process.rlimits = ['RLIMIT_NOFILE', 'RLIMIT_NPROC'].map((type) => ({ type, soft: 1024, hard: 65535 }));
  return JSON.stringify(spec);
};
