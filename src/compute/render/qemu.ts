/** QEMU's command line for one machine. Pure. */
import { hardwareMemoryMiB, type Machine, type Size, vcpus } from '../../core/machine/machine.ts';
import { GUEST_MAC } from './link.ts';

/** How guests are run on this host; probed, never assumed. */
export type Acceleration = 'kvm' | 'tcg';

/** Files and facts of the host that the arguments refer to. */
export interface HostFacts {
  readonly cluster: string;
  readonly acceleration: Acceleration;
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
}

/** Hot-plug slots for PCI devices; the topology of a machine never changes, so that templates fit. */
const ROOT_PORTS = 2;

/** Files that the arguments name, relative to the machine's directory. */
export const FILES = {
  scratch: 'scratch.qcow2',
  seed: 'seed.sock',
  qmp: 'qmp.sock',
  console: 'log/console',
  services: 'log/services',
  qemu: 'log/qemu',
  empty: 'empty',
} as const;

/** `-name` of a machine's process, by which it is found without its directory. */
export const processName = (cluster: string, machine: string): string => `${cluster}/${machine}`;

/**
 * Unprivileged user of a machine's QEMU, one per address: 0x70000000 and the address's last three numbers, far
 * above accounts and the ranges of user namespaces.
 */
export const machineUser = (address: string): number => {
  const [, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return 0x7000_0000 + (b << 16) + (c << 8) + d;
};

/**
 * The guest kernel's command line. CPU mitigations are off only under emulation, where there is no speculation
 * to mitigate. `swiotlb=noforce`: memory slots reach beyond 4 GiB, for which the kernel would put 64 MiB of
 * bounce buffers aside that no device here needs.
 */
/**
 * Memory that the kernel keeps free, in KiB, by its own formula for a machine of this size (mm/page_alloc.c,
 * calculate_min_free_kbytes). With huge pages on it would keep 64 MiB more, to have some at hand (mm/khugepaged.c):
 * half of the node's share of the memory.
 */
const minFreeKiB = (size: Size): number => Math.floor(Math.sqrt(hardwareMemoryMiB(size) * 1024 * 16));

const commandLine = (size: Size, acceleration: Acceleration): string =>
  [
    'console=ttyS0 quiet loglevel=3 panic=-1 net.ifnames=0 ipv6.disable=1 8250.nr_uarts=1',
    // Huge pages on request only: node services would grow with the machine, as Go heaps fill them sparsely.
    'cgroup_no_v1=all swiotlb=noforce random.trust_cpu=on cryptomgr.notests transparent_hugepage=madvise',
    `sysctl.vm.min_free_kbytes=${minFreeKiB(size)}`,
    ...(acceleration === 'tcg' ? ['mitigations=off tsc=reliable no_timer_check'] : []),
  ].join(' ');

/**
 * Arguments after `qemu-system-x86_64`, to be used inside the machine's directory. After start-up QEMU has
 * nothing but its open files: it runs as a user of its own, in an empty root, without the right to start programs.
 */
export const qemuArguments = (machine: Machine, host: HostFacts): readonly string[] => [
  ...['-name', processName(host.cluster, machine.name)],
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
  ...['-sandbox', 'on,obsolete=deny,spawn=deny,resourcecontrol=deny'],
  ...[
    '-run-with',
    `chroot=${FILES.empty},user=${[1, 1].map(() => machineUser(machine.placement.address)).join(':')}`,
  ],
  ...['-machine', 'q35,usb=off,sata=off,smbus=off,vmport=off'],
  // TCG's buffer of translated code would otherwise grow to 1 GiB per process.
  ...(host.acceleration === 'kvm'
    ? ['-accel', 'kvm', '-cpu', 'host']
    : ['-accel', 'tcg,thread=multi,tb-size=256', '-cpu', 'max']),
  ...['-smp', `${vcpus(machine.size)}`],
  ...['-m', `size=${hardwareMemoryMiB(machine.size)}M,slots=4,maxmem=256G`],
  ...[
    '-kernel',
    host.kernel,
    '-initrd',
    host.initrd,
    '-append',
    commandLine(machine.size, host.acceleration),
  ],
  ...['-chardev', `file,id=console,path=${FILES.console}`, '-serial', 'chardev:console'],
  ...Array.from({ length: ROOT_PORTS }, (_, port) => [
    '-device',
    `pcie-root-port,id=port${port},chassis=${port + 1},slot=${port + 1}`,
  ]).flat(),
  ...['-device', 'vmgenid,guid=auto'],
  ...['-blockdev', `driver=file,node-name=root,filename=${host.root},read-only=on`],
  ...['-device', 'virtio-blk-pci,drive=root,romfile='],
  // The scratch disk ends with the machine: nothing has to reach the host's disk in any order.
  ...[
    '-blockdev',
    `driver=qcow2,node-name=scratch,discard=unmap,cache.no-flush=on,file.driver=file,file.filename=${FILES.scratch},file.cache.no-flush=on`,
  ],
  ...['-device', 'virtio-blk-pci,drive=scratch,romfile='],
  ...['-netdev', 'tap,id=network,ifname=tap0,script=no,downscript=no'],
  ...['-device', `virtio-net-pci,netdev=network,mac=${GUEST_MAC},romfile=`],
  ...['-device', 'virtio-serial-pci,max_ports=4'],
  ...['-chardev', `socket,id=seed,path=${FILES.seed},server=on,wait=off`],
  ...['-device', 'virtserialport,chardev=seed,name=cloister.seed,nr=1'],
  ...['-chardev', `file,id=services,path=${FILES.services}`],
  ...['-device', 'virtserialport,chardev=services,name=cloister.log,nr=2'],
  // For people who look into a machine: nothing here speaks to it.
  ...['-qmp', `unix:${FILES.qmp},server=on,wait=off`],
];
