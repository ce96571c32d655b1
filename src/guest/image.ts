/**
 * The guest image: kernel, initramfs, read-only root and the scratch disk's first contents, built once per
 * machine and named by the hash of everything that goes in. The name is the "platform version" of a machine.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { exec } from '../host/exec.ts';
import {
  BOOT_MODULES,
  buildInitramfs,
  guestModules,
  installModules,
  NODE_MODULES,
  unpackKernel,
} from './kernel.ts';
import { extractPackages, kernelFiles } from './packages.ts';
import { prepareContainerdState } from './pause.ts';
import { assembleRoot } from './root.ts';

/** An image ready to boot; paths are absolute. */
export interface GuestImage {
  /** 16 hexadecimal digits. */
  readonly hash: string;
  readonly directory: string;
  /** ELF kernel, started by its PVH entry. */
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
  /**
   * The raw disk that scratch overlays of this size stand on, made at the first call: an ext4 file system with
   * containerd's state, sparse.
   * @throws ExecError when the disk is full
   */
  scratchBase(storageGiB: number): Promise<string>;
}

/** What goes into an image, and where images are kept. */
export interface ImageInputs {
  /** Directory with kubelet, kube-proxy, containerd, containerd-shim-runc-v2, ctr and runc. */
  readonly binaries: string;
  readonly cache: string;
  readonly onProgress: (step: string) => void;
}

/** Programs built from the pinned upstream sources that go into the guest. `ctr` only helps to build it. */
const GUEST_BINARIES: readonly string[] = [
  'kubelet',
  'kube-proxy',
  'containerd',
  'containerd-shim-runc-v2',
  'runc',
];

/** Raised when the recipe below changes in a way that its hashed inputs do not show. */
const RECIPE = 1;

/** A build that began longer ago than this was killed; its folder is removed by the next one. */
const ABANDONED_MS = 3_600_000;

const here = import.meta.dirname;

const hashFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

const hashText = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** All files of this folder: the recipe itself, the scripts of the guest. */
const ownFiles = (): readonly string[] =>
  readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((file) => !file.endsWith('.test.ts') && statSync(join(here, file)).isFile())
    .sort();

/** Hash of recipe, scripts and binaries; package versions are known only after a look at the mirror. */
const inputsHash = async (binaries: string): Promise<string> => {
  const parts = [`recipe ${RECIPE}`, ...BOOT_MODULES, ...NODE_MODULES];
  for (const file of ownFiles()) parts.push(`${file} ${await hashFile(join(here, file))}`);
  for (const name of [...GUEST_BINARIES, 'ctr']) {
    const path = join(binaries, name);
    if (!existsSync(path)) throw new Error(`the guest image needs ${name}, which is not in ${binaries}`);
    parts.push(`${name} ${await hashFile(path)}`);
  }
  return hashText(parts.join('\n'));
};

/** The image in a directory. */
export const openImage = (directory: string, hash: string): GuestImage => ({
  hash,
  directory,
  kernel: join(directory, 'kernel'),
  initrd: join(directory, 'initrd'),
  root: join(directory, 'root.erofs'),
  scratchBase: (storageGiB) => scratchBase(directory, storageGiB),
});

/**
 * Makes the image, or opens the one that was made from the same inputs before. It is built in a folder beside
 * its place and renamed when whole, so an interrupted build leaves nothing that could be taken for an image.
 * @throws ExecError, Error naming the missing tool, package or binary
 */
export const buildGuestImage = async (inputs: ImageInputs): Promise<GuestImage> => {
  const images = join(inputs.cache, 'guest');
  mkdirSync(images, { recursive: true });
  const known = join(images, `inputs-${await inputsHash(inputs.binaries)}`);
  if (existsSync(known)) {
    const hash = readFileSync(known, 'utf8').trim();
    if (existsSync(join(images, hash))) return openImage(join(images, hash), hash);
  }
  for (const left of readdirSync(images).filter((name) => name.startsWith('building-'))) {
    const path = join(images, left);
    if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
  const work = mkdtempSync(join(images, 'building-'));
  try {
    const versions = await build(inputs, work);
    const hash = hashText([known.split('inputs-')[1], ...versions].join('\n'));
    writeFileSync(join(work, 'image/packages'), `${versions.join('\n')}\n`);
    const directory = join(images, hash);
    if (!existsSync(directory)) renameSync(join(work, 'image'), directory);
    writeFileSync(`${known}.new`, `${hash}\n`);
    renameSync(`${known}.new`, known);
    return openImage(directory, hash);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

/** Builds everything in `work/image`; gives the packages' file names. */
const build = async (inputs: ImageInputs, work: string): Promise<readonly string[]> => {
  const [tree, root, image] = ['tree', 'root', 'image'].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  for (const directory of [root, image]) mkdirSync(directory);
  inputs.onProgress('Debian packages');
  const versions = await extractPackages(tree, join(here, 'fetch-kernel'), inputs.onProgress);
  const kernel = await kernelFiles(tree);

  inputs.onProgress(`kernel ${kernel.version}`);
  await unpackKernel(kernel.image, join(image, 'kernel'));
  await buildInitramfs(kernel, {
    work: join(work, 'initramfs'),
    busybox: join(tree, 'usr/bin/busybox'),
    init: join(here, 'initramfs/init'),
    output: join(image, 'initrd'),
  });

  inputs.onProgress('root file system');
  await assembleRoot({
    tree,
    root,
    rootfs: join(here, 'rootfs'),
    binaries: inputs.binaries,
    programs: GUEST_BINARIES,
  });
  await installModules(root, tree, kernel.version, await guestModules(kernel));
  await exec('mkfs.erofs', ['--quiet', '-T0', '--all-root', join(image, 'root.erofs'), root], {
    limitMs: 300_000,
  });

  inputs.onProgress('pause image in a prepared containerd state');
  await prepareContainerdState({
    binaries: inputs.binaries,
    work: join(work, 'containerd'),
    state: join(image, 'scratch/containerd'),
    catatonit: join(tree, 'usr/bin/catatonit'),
  });
  return versions;
};

const scratchBase = async (directory: string, storageGiB: number): Promise<string> => {
  const path = join(directory, `scratch-${storageGiB}.ext4`);
  if (existsSync(path)) return path;
  const half = mkdtempSync(join(directory, 'making-'));
  try {
    const file = join(half, 'disk');
    await exec('truncate', ['-s', `${storageGiB}G`, file]);
    // No journal and no reserved blocks: the disk never outlives its machine. Inode tables stay unwritten.
    await exec('mkfs.ext4', [
      ...['-q', '-m', '0', '-O', '^has_journal', '-E', 'lazy_itable_init=1,nodiscard,root_owner=0:0'],
      ...['-d', join(directory, 'scratch'), file],
    ]);
    renameSync(file, path);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return path;
};
