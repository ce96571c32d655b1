/** The Debian packages that a cluster needs on its host: installs those that are missing, starts nothing. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ExecError, exec } from '../host/exec.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { haveGo } from './go.ts';

/** A package and why it is needed. */
interface Need {
  readonly package: string;
  readonly purpose: string;
  /** Lowest first number of its version that will do. */
  readonly major?: number;
}

/** What every cluster needs. */
export const NEEDS: readonly Need[] = [
  { package: 'iproute2', purpose: 'ip: network namespaces, links, routes' },
  { package: 'nftables', purpose: 'nft: filters and address translation' },
  { package: 'util-linux', purpose: 'nsenter and unshare' },
  { package: 'kmod', purpose: 'loading kernel modules' },
  { package: 'mount', purpose: 'mounts of the ordinary node and its pods' },
  { package: 'tar', purpose: 'unpacking images' },
  // Before 10.0, emulated guests with more than one vCPU crash.
  { package: 'qemu-system-x86', purpose: 'the virtual machines', major: 10 },
  { package: 'qemu-utils', purpose: "qemu-img: the machines' disks", major: 10 },
  { package: 'mmdebstrap', purpose: 'root file system of the guest image' },
  { package: 'erofs-utils', purpose: 'mkfs.erofs: packing the guest image' },
  { package: 'e2fsprogs', purpose: 'mkfs.ext4: scratch disks' },
  { package: 'cpio', purpose: 'initial RAM disk of the guests' },
  { package: 'zstd', purpose: 'kernel modules of the guest' },
  { package: 'busybox-static', purpose: 'guest image and the demonstration image' },
  { package: 'catatonit', purpose: 'pause container' },
  { package: 'ca-certificates', purpose: 'fetching modules and packages' },
];

/** What building the components needs besides Go. */
const BUILD_NEEDS: readonly Need[] = [
  { package: 'gcc', purpose: 'linking runc' },
  { package: 'libc6-dev', purpose: 'linking runc' },
  { package: 'libseccomp-dev', purpose: 'seccomp filters in runc' },
  { package: 'pkg-config', purpose: 'finding libseccomp' },
];

/** What the tests need besides. */
const TEST_NEEDS: readonly Need[] = [
  { package: 'procps', purpose: 'pgrep: finding processes of machines' },
  { package: 'python3-venv', purpose: 'AWS clients from PyPI, in a folder of their own' },
];

/** A Debian release that this set-up knows. */
interface Release {
  readonly codename: string;
  /** Needs its backports for recent enough packages. */
  readonly backports: boolean;
}

const RELEASES: Readonly<Record<string, Release>> = {
  '12': { codename: 'bookworm', backports: true },
  '13': { codename: 'trixie', backports: false },
};

/** Reads os-release(5). @throws Error when the system is not one that this set-up knows */
export const releaseOf = (osRelease: string): Release => {
  const value = (key: string): string | undefined =>
    osRelease.match(new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm'))?.[1];
  const release = value('ID') === 'debian' ? RELEASES[value('VERSION_ID') ?? ''] : undefined;
  if (release !== undefined) return release;
  throw new Error(
    `this is ${value('PRETTY_NAME') ?? 'an unknown system'}: packages are missing, and only Debian 12 and 13 can be set up by themselves`,
  );
};

/**
 * Which needs an installation does not meet.
 * @param installed lines `package version` of installed packages, as dpkg-query prints them
 */
export const unmet = (needs: readonly Need[], installed: string): readonly Need[] => {
  const versions = new Map(installed.split('\n').map((line) => line.split(' ') as [string, string]));
  return needs.filter((need) => {
    const version = versions.get(need.package);
    if (version === undefined) return true;
    return need.major !== undefined && Number(version.replace(/^\d+:/, '').split('.')[0]) < need.major;
  });
};

const installedPackages = async (): Promise<string> => {
  const all = await exec('dpkg-query', ['-W', '-f', '${Package} ${Version} ${db:Status-Status}\n']);
  return all
    .split('\n')
    .filter((line) => line.endsWith(' installed'))
    .join('\n');
};

/**
 * Installs what is missing of the Debian packages, with `build` also compilers and Go, with `test` also what
 * only tests use.
 * @throws Error when the system is unknown, nobody is root, or the packages cannot be fetched
 */
export const ensurePackages = async (options: {
  build: boolean;
  test: boolean;
  onProgress: OnProgress;
}): Promise<void> => {
  const needs = [...NEEDS, ...(options.build ? BUILD_NEEDS : []), ...(options.test ? TEST_NEEDS : [])];
  const missing = unmet(needs, await installedPackages()).map((need) => need.package);
  if (options.build && !(await haveGo())) missing.push('golang-go');
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0)
    throw new Error(`not root: ${missing.join(', ')} must be installed, so run this as root (sudo)`);
  const release = releaseOf(readFileSync('/etc/os-release', 'utf8'));
  await step(options.onProgress, `install ${missing.join(', ')}`, async (note) => {
    await apt(['update'], note);
    if (release.backports && (await addBackports(release.codename))) await apt(['update'], note);
    const target = release.backports ? ['-t', `${release.codename}-backports`] : [];
    await apt(['install', '-y', '--no-install-recommends', '--no-remove', ...target, ...missing], note);
  });
};

const apt = async (args: readonly string[], note: (text: string) => void): Promise<void> => {
  try {
    await exec('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3', ...args], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      limitMs: 1_200_000,
      onLine: note,
    });
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    throw new Error(
      `apt-get ${args[0]} failed; check the network and the sources in /etc/apt, then repeat: ${cause.stderr.trim().split('\n').at(-1) ?? ''}`,
      { cause },
    );
  }
};

/** Adds the release's backports at the mirror that this machine uses for the release itself. */
const addBackports = async (codename: string): Promise<boolean> => {
  const format = '$(REPO_URI) $(CODENAME) $(COMPONENT)';
  const targets = await exec('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const mirror = chooseMirror(targets, codename);
  if (mirror === undefined) return false;
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(
    '/etc/apt/sources.list.d/cloister-backports.sources',
    [
      'Types: deb',
      `URIs: ${mirror}`,
      `Suites: ${codename}-backports`,
      'Components: main',
      ...(existsSync(keyring) ? [`Signed-By: ${keyring}`] : []),
      '',
    ].join('\n'),
  );
  return true;
};

/**
 * The mirror to take backports from; undefined when they are a source already.
 * @param targets lines `URI codename component` of `apt-get indextargets`
 * @throws Error when the release itself is no source
 */
export const chooseMirror = (targets: string, codename: string): string | undefined => {
  const lines = targets.split('\n').map((line) => line.split(' '));
  if (lines.some(([, name]) => name === `${codename}-backports`)) return undefined;
  const own = lines.find(([, name, component]) => name === codename && component === 'main');
  if (own === undefined)
    throw new Error(`no package source for ${codename} in /etc/apt: add one, then repeat`);
  return own[0];
};

/** A program that is taken out of its Debian package, because installing that would start a service on the host. */
interface Taken {
  readonly package: string;
  /** Path of the program on a host that has the package. */
  readonly path: string;
}

const REGISTRY: Taken = { package: 'docker-registry', path: '/usr/bin/docker-registry' };
const PROXY: Taken = { package: 'haproxy', path: '/usr/sbin/haproxy' };

/** Where the libraries of a package are, below its root (Debian Policy 9.1.1, multiarch). */
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

/** Fetches a package with the libraries that this host lacks, and unpacks all into one folder, once per machine. */
const take = async ({ package: name, path }: Taken, cache: string): Promise<string> => {
  const folder = join(cache, name);
  if (existsSync(join(folder, path))) return folder;
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, `${name}.unfinished-`));
  try {
    const debs = join(scratch, 'debs');
    mkdirSync(join(debs, 'partial'), { recursive: true });
    const settings = [
      '-o',
      `Dir::Cache::archives=${debs}`,
      '-o',
      'Debug::NoLocking=1',
      '-o',
      'APT::Sandbox::User=root',
    ];
    const args = ['-q', '-y', '--download-only', '--no-install-recommends', ...settings, 'install', name];
    await exec('apt-get', args, { limitMs: 300_000 });
    for (const file of readdirSync(debs).filter((entry) => entry.endsWith('.deb')))
      await exec('dpkg-deb', ['-x', join(debs, file), join(scratch, 'root')]);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(scratch, 'root'), folder);
    return folder;
  } catch (cause) {
    throw new Error(
      `Debian's ${name} cannot be fetched; check the network, then repeat: ${(cause as Error).message}`,
      { cause },
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

/** Debian's docker-registry. @returns path of the program */
export const registryProgram = async (cache: string): Promise<string> =>
  existsSync(REGISTRY.path) ? REGISTRY.path : join(await take(REGISTRY, cache), REGISTRY.path);

/** Debian's HAProxy. @returns path of the program, and the folder of libraries that this host lacks */
export const proxyProgram = async (
  cache: string,
): Promise<{ readonly program: string; readonly libraries?: string }> => {
  if (existsSync(PROXY.path)) return { program: PROXY.path };
  const folder = await take(PROXY, cache);
  return { program: join(folder, PROXY.path), libraries: join(folder, LIBRARIES) };
};
