/** Kernel, modules and initramfs of the guest. */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { exec } from '../host/exec.ts';
import type { KernelFiles } from './packages.ts';

/** Modules that the initramfs loads: the root disk, its file system and the writable layer above it. */
export const BOOT_MODULES: readonly string[] = ['virtio_blk', 'erofs', 'overlay'];

/** Modules that init loads at once, so that no service has to wait for the kernel to ask for them singly. */
export const NODE_MODULES: readonly string[] = [
  'nft_chain_nat',
  'nft_ct',
  'nft_fib_inet',
  'nft_hash',
  'nft_masq',
  'nft_nat',
  'nft_numgen',
  'nft_redir',
  'nft_reject_inet',
  'nft_reject_ipv4',
  'nf_conntrack_netlink',
];

const LINK_MODULES: readonly string[] = ['virtio_net', 'veth'];

/** Modules that are there for the kernel to load when something asks for them. */
const ON_DEMAND_MODULES: readonly string[] = [
  'nft_limit',
  'nft_log',
  'nft_quota',
  'nft_compat',
  'tun',
  'fuse',
];

/** Magic numbers of the compressions that a kernel image may hold, and the program that undoes each. */
const COMPRESSIONS: readonly { magic: string; program: readonly [string, ...string[]] }[] = [
  { magic: '28b52ffd', program: ['zstd', '-q', '-d', '-c'] },
  { magic: 'fd377a58', program: ['xz', '-d', '-c', '--single-stream'] },
  { magic: '1f8b08', program: ['gzip', '-q', '-d', '-c'] },
];

/**
 * Takes the ELF kernel out of a bzImage, to be started directly by its PVH entry: it spares the decompression,
 * 1.2 s of every start under emulation. Offsets are those of the x86 boot protocol (kernel doc
 * arch/x86/boot: setup_sects 0x1f1, payload_offset 0x248, payload_length 0x24c; the last four bytes are the size).
 * @throws Error when the payload's compression is unknown
 */
export const unpackKernel = async (image: string, elf: string): Promise<void> => {
  const bytes = readFileSync(image);
  const start = ((bytes[0x1f1] || 4) + 1) * 512 + bytes.readUInt32LE(0x248);
  const payload = bytes.subarray(start, start + bytes.readUInt32LE(0x24c) - 4);
  const found = COMPRESSIONS.find(({ magic }) => payload.toString('hex', 0, magic.length / 2) === magic);
  if (found === undefined)
    throw new Error(`${basename(image)} is compressed in a way that is not known here`);
  const [program, ...args] = found.program;
  writeFileSync(`${elf}.packed`, payload);
  await exec('sh', ['-ec', '"$@" <"$0.packed" >"$0"; rm "$0.packed"', elf, program, ...args]);
};

const moduleName = (file: string): string =>
  basename(file)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_');

/** A decompressed module and the names of those it needs, from its `depends=` line (modinfo(8)). */
const dependencies = (module: Buffer): readonly string[] => {
  const start = module.indexOf('\0depends=');
  if (start < 0) return [];
  const value = module.toString('latin1', start + 9, module.indexOf(0, start + 9));
  return value === '' ? [] : value.split(',').map((name) => name.replaceAll('-', '_'));
};

/** What the kernel build appends to a signed module, after the signature and 12 bytes about it. */
const SIGNATURE_MARK = Buffer.from('~Module signature appended~\n');

/**
 * A module without its signature (kernel doc admin-guide/module-signing). The image is what is trusted here: its
 * packages were verified when it was built, it is read-only to the guest, and checking thirty signatures again
 * costs half a second of every start under emulation.
 */
const withoutSignature = (module: Buffer): Buffer => {
  const end = module.length - SIGNATURE_MARK.length;
  if (end < 12 || !module.subarray(end).equals(SIGNATURE_MARK)) return module;
  return module.subarray(0, end - 12 - module.readUInt32BE(end - 4));
};

/** Decompressed modules in the order in which they can be loaded one after the other. */
export type Modules = ReadonlyMap<string, Buffer>;

/**
 * Reads the named modules and all that they need. A name that this kernel has built in is left out.
 * @throws Error when one is neither a module nor built in
 */
const readModules = async (kernel: KernelFiles, names: readonly string[]): Promise<Modules> => {
  const files = new Map(
    readdirSync(join(kernel.modules, 'kernel'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.ko(\.xz)?$/.test(file))
      .map((file) => [moduleName(file), join(kernel.modules, 'kernel', file)]),
  );
  const builtin = new Set(
    readFileSync(join(kernel.modules, 'modules.builtin'), 'utf8').trim().split('\n').map(moduleName),
  );
  const modules = new Map<string, Buffer>();
  const add = async (name: string): Promise<void> => {
    if (modules.has(name) || builtin.has(name)) return;
    const file = files.get(name);
    if (file === undefined) throw new Error(`kernel ${kernel.version} has no module ${name}`);
    const copy = file.replace(/\.xz$/, '');
    if (file !== copy) await exec('xz', ['-d', '-k', '-f', file]);
    const bytes = withoutSignature(readFileSync(copy));
    for (const needed of dependencies(bytes)) await add(needed);
    modules.set(name, bytes);
  };
  for (const name of names) await add(name);
  return modules;
};

/** Every module of the guest. */
export const guestModules = (kernel: KernelFiles): Promise<Modules> =>
  readModules(kernel, [...BOOT_MODULES, ...LINK_MODULES, ...NODE_MODULES, ...ON_DEMAND_MODULES]);

/** Writes modules and their index for modprobe into a root; `tree` lends its own depmod. */
export const installModules = async (
  root: string,
  tree: string,
  version: string,
  modules: Modules,
): Promise<void> => {
  const place = join('usr/lib/modules', version);
  mkdirSync(join(tree, place), { recursive: true });
  mkdirSync(join(root, place), { recursive: true });
  for (const [name, bytes] of modules) writeFileSync(join(tree, place, `${name}.ko`), bytes);
  await exec('chroot', [tree, '/usr/sbin/depmod', version]);
  await exec('cp', ['-a', `${join(tree, place)}/.`, join(root, place)]);
};

/** Makes the initramfs: busybox, the boot modules in loading order, and `init`. Not compressed: QEMU copies it. */
export const buildInitramfs = async (
  kernel: KernelFiles,
  paths: { work: string; busybox: string; init: string; output: string },
): Promise<void> => {
  for (const directory of ['bin', 'dev', 'proc', 'sys', 'lower', 'rw', 'newroot', 'modules']) {
    mkdirSync(join(paths.work, directory), { recursive: true });
  }
  copyFileSync(paths.busybox, join(paths.work, 'bin/busybox'));
  copyFileSync(paths.init, join(paths.work, 'init'));
  for (const program of ['init', 'bin/busybox']) chmodSync(join(paths.work, program), 0o755);
  await exec('mknod', ['-m', '600', join(paths.work, 'dev/console'), 'c', '5', '1']);
  const modules = [...(await readModules(kernel, BOOT_MODULES))];
  modules.forEach(([name, bytes], index) => {
    writeFileSync(join(paths.work, 'modules', `${String(index).padStart(2, '0')}-${name}.ko`), bytes);
  });
  await exec('sh', [
    '-ec',
    'cd "$0"; find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible >"$1"',
    paths.work,
    paths.output,
  ]);
};
