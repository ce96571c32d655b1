/** Debian packages for the guest, from the mirror and by the proxy that this machine's apt is set up with. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exec } from '../host/exec.ts';

/** The Debian release of the guest's userland and kernel. */
const SUITE = 'trixie';

/** Meta package of the guest's kernel: Debian's build for virtual machines, signed like any other. */
const KERNEL_PACKAGE = 'linux-image-cloud-amd64';

/** What the guest's programs are taken from. */
export const PACKAGES: readonly string[] = [
  'base-files',
  'busybox-static',
  'ca-certificates',
  'catatonit',
  'iproute2',
  'kmod',
  'mount',
  'nftables',
  'util-linux',
];

/** Where and how apt gets Debian packages on this machine. */
export interface Mirror {
  readonly uri: string;
  /** `apt.conf` lines to carry over: proxies and their credentials' place. */
  readonly options: readonly string[];
}

/**
 * Reads the mirror of Debian's main archive from the apt configuration; updates, security and backports have
 * other contents under the same origin and do not count.
 * @throws Error when apt knows no Debian archive
 */
const aptMirror = async (): Promise<Mirror> => {
  const targets = await exec('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)',
    'Created-By: Packages',
  ]);
  const main = targets
    .split('\n')
    .map((line) => line.split('|'))
    .find(
      ([origin, release, component]) =>
        origin === 'Debian' && component === 'main' && !/-|\//.test(release ?? '-'),
    );
  const uri = main?.[3];
  if (uri === undefined || uri === '') {
    throw new Error(
      "apt on this machine knows no Debian archive, which the guest image is made from: add one to apt's sources and run apt-get update",
    );
  }
  const dump = await exec('apt-config', ['dump']);
  const options = dump
    .split('\n')
    .filter((line) => /^Acquire::(https?|Proxy)[^"]*Proxy[^"]* ".+";$/i.test(line));
  return { uri: uri.replace(/\/$/, ''), options };
};

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Unpacks the packages and the kernel into `tree` without running any of their scripts.
 * @returns file names of all packages, which carry their versions
 * @throws ExecError with apt's own words when a download or a signature fails
 */
export const extractPackages = async (
  tree: string,
  hook: string,
  onProgress: (line: string) => void,
): Promise<readonly string[]> => {
  const mirror = await aptMirror();
  const list = `${tree}.packages`;
  await exec(
    'mmdebstrap',
    [
      '--mode=root',
      '--variant=extract',
      `--include=${PACKAGES.join(',')}`,
      ...(existsSync(keyring) ? [`--keyring=${keyring}`] : []),
      '--aptopt=Acquire::Retries "5"',
      ...mirror.options.map((option) => `--aptopt=${option}`),
      `--extract-hook=${quote(hook)} "$1" ${quote(list)}`,
      SUITE,
      tree,
      mirror.uri,
    ],
    {
      limitMs: 900_000,
      env: { CLOISTER_KERNEL: KERNEL_PACKAGE, LC_ALL: 'C.UTF-8' },
      onLine: (line) => line.startsWith('I: ') && onProgress(line.slice(3)),
    },
  );
  return readFileSync(list, 'utf8').trim().split('\n');
};

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The kernel files of an unpacked tree. */
export interface KernelFiles {
  readonly version: string;
  /** Compressed kernel as the boot loader takes it. */
  readonly image: string;
  /** Directory of modules, `…/lib/modules/<version>`. */
  readonly modules: string;
}

/** Finds the kernel that `fetch-kernel` unpacked. @throws Error when there is none */
export const kernelFiles = async (tree: string): Promise<KernelFiles> => {
  const base = join(tree, 'kernel-package');
  const image = (await exec('find', [join(base, 'boot'), '-name', 'vmlinuz-*'])).trim();
  const version = image.split('/vmlinuz-')[1];
  if (version === undefined || version.includes('\n')) throw new Error(`${base} holds no single kernel`);
  return { version, image, modules: join(base, 'usr/lib/modules', version) };
};
