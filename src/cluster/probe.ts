/** Whether this host can run a cluster at all: asked before anything is made, answered in one line. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { exec } from '../host/exec.ts';

/** Something that the host's kernel must have, and a command that fails without it. */
interface Feature {
  readonly name: string;
  /** The kernel's build option, for whoever builds or picks the kernel. */
  readonly option: string;
  /** Shell lines, run as root in network and mount namespaces of their own; $1 is an empty folder. */
  readonly test: string;
}

const FEATURES: readonly Feature[] = [
  { name: 'TUN/TAP devices', option: 'CONFIG_TUN', test: 'ip tuntap add probe0 mode tap' },
  {
    name: 'virtual Ethernet pairs',
    option: 'CONFIG_VETH',
    test: 'ip link add probe1 type veth peer name probe2',
  },
  {
    name: 'nftables with connection tracking and address translation',
    option: 'CONFIG_NF_TABLES_INET, CONFIG_NFT_CT, CONFIG_NFT_NAT, CONFIG_NFT_MASQ',
    test: `nft -f - <<'END'
table inet probe {
  chain filter { type filter hook forward priority 0; ct state established accept; }
  chain source { type nat hook postrouting priority 100; masquerade; }
  chain target { type nat hook prerouting priority -100; ip daddr 192.0.2.1 dnat ip to 192.0.2.2; }
}
END`,
  },
  {
    name: 'overlay file systems on the disk that holds the cluster',
    option: 'CONFIG_OVERLAY_FS',
    test: 'mkdir "$1/l" "$1/u" "$1/w" "$1/m" && mount -t overlay -o "lowerdir=$1/l,upperdir=$1/u,workdir=$1/w" probe "$1/m"',
  },
];

/** Prints the index of every feature whose test fails. */
const testAll = (): string =>
  FEATURES.map(({ test }, index) => `( ${test}\n) >/dev/null 2>&1 || echo ${index}`).join('\n');

/**
 * Checks that this is a machine which a cluster can run on.
 * @param folder an existing folder on the disk that will hold the cluster's state
 * @throws Error that names everything that is missing
 */
export const checkHost = async (folder: string): Promise<void> => {
  if (process.getuid?.() !== 0)
    throw new Error('not root: a cluster needs network namespaces, so run this as root (sudo)');
  if (arch() !== 'x64') throw new Error(`this machine is ${arch()}: Cloister runs on x86-64 only so far`);
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers') && !existsSync('/sys/fs/cgroup/memory/cgroup.procs')) {
    throw new Error('no control groups are mounted at /sys/fs/cgroup: mount them as cgroups(7) describes');
  }
  const scratch = mkdtempSync(join(folder, 'probe-'));
  try {
    const args = ['--net', '--mount', '--propagation=private', 'sh', '-c', testAll(), 'probe', scratch];
    const failed = (await exec('unshare', args)).trim();
    if (failed === '') return;
    const missing = failed.split('\n').map((index) => FEATURES[Number(index)] as Feature);
    throw new Error(
      `this host's kernel lacks ${missing.map(({ name, option }) => `${name} (${option})`).join('; ')}: ` +
        'load the modules or boot a kernel that has them',
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};
