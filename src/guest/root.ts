/** The guest's root file system: the programs that a node needs, the libraries they need, and nothing else. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { exec } from '../host/exec.ts';
import { NODE_MODULES } from './kernel.ts';
import { baseRuntimeSpec } from './pause.ts';

/** Programs from Debian, as paths in its tree; the libraries they are linked with come along. */
const DEBIAN_PROGRAMS: readonly string[] = [
  'usr/bin/ip',
  'usr/bin/mount',
  'usr/bin/umount',
  'usr/sbin/nft',
  'usr/sbin/losetup',
];

/** Empty directories: mount points, and places that the services write to. */
const DIRECTORIES: readonly string[] = [
  ...['dev', 'proc', 'sys', 'run', 'tmp', 'scratch', 'root', 'etc/kubernetes', 'etc/cloister'],
  ...['var/lib/containerd', 'var/lib/kubelet', 'var/log/pods', 'var/log/containers', 'opt/cni/bin'],
];

/** Where everything comes from. */
export interface RootInputs {
  /** Unpacked Debian packages. */
  readonly tree: string;
  /** The directory to fill. */
  readonly root: string;
  /** This product's own files for the guest. */
  readonly rootfs: string;
  readonly binaries: string;
  readonly programs: readonly string[];
}

/** Libraries that a program loads, as its own dynamic linker lists them (ld.so(8), --list). */
const libraries = async (tree: string, program: string): Promise<readonly string[]> => {
  const list = await exec('chroot', [tree, '/lib64/ld-linux-x86-64.so.2', '--list', `/${program}`]);
  return [...list.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] as string);
};

/** Fills the root. @throws ExecError, Error naming what is missing */
export const assembleRoot = async (inputs: RootInputs): Promise<void> => {
  const { tree, root } = inputs;
  for (const directory of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', ...DIRECTORIES]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  symlinkSync('../run', join(root, 'var/run'));

  const wanted = new Set<string>(DEBIAN_PROGRAMS);
  for (const program of DEBIAN_PROGRAMS) {
    for (const library of await libraries(tree, program)) wanted.add(library.slice(1));
  }
  for (const path of wanted) copyInto(tree, root, path);
  copyInto(tree, root, 'usr/bin/busybox');
  // What the kernel, the kubelet or a person with a shell expects under its own name.
  for (const applet of ['sh', 'cat', 'ls', 'ps', 'dmesg', 'free', 'df', 'top', 'grep', 'tail']) {
    symlinkSync('busybox', join(root, 'usr/bin', applet));
  }
  symlinkSync('../bin/busybox', join(root, 'usr/sbin/modprobe'));

  for (const name of inputs.programs) {
    copyFileSync(join(inputs.binaries, name), join(root, 'usr/bin', name));
    chmodSync(join(root, 'usr/bin', name), 0o755);
  }
  cpSync(inputs.rootfs, root, { recursive: true });
  writeFileSync(join(root, 'usr/lib/cloister/modules'), `${NODE_MODULES.join(' ')}\n`);
  writeFileSync(join(root, 'etc/containerd/base-spec.json'), await baseRuntimeSpec(inputs.binaries));
  copyInto(tree, root, 'usr/lib/os-release');
  symlinkSync('../usr/lib/os-release', join(root, 'etc/os-release'));
  writeCertificates(tree, root);
};

/** Copies a file by its path in both trees, whatever symbolic links lead to it. */
const copyInto = (tree: string, root: string, path: string): void => {
  const real = relative(realpathSync(tree), realpathSync(join(tree, path)));
  const wanted = path.replace(/^(bin|sbin|lib|lib64)\//, 'usr/$1/');
  mkdirSync(dirname(join(root, real)), { recursive: true });
  mkdirSync(dirname(join(root, wanted)), { recursive: true });
  copyFileSync(join(tree, real), join(root, wanted));
  chmodSync(join(root, wanted), 0o755);
};

/** One bundle of the authorities that Debian ships, as ca-certificates' own script makes it. */
const writeCertificates = (tree: string, root: string): void => {
  const source = join(tree, 'usr/share/ca-certificates/mozilla');
  if (!existsSync(source)) throw new Error('the package ca-certificates holds no certificates');
  const files = readdirSync(source)
    .filter((file) => file.endsWith('.crt'))
    .sort();
  mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true });
  writeFileSync(
    join(root, 'etc/ssl/certs/ca-certificates.crt'),
    files.map((file) => readFileSync(join(source, file), 'utf8')).join(''),
  );
};
