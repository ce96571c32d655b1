/** The `local` provider: machines as QEMU processes on this host, each in a network namespace of its own. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { hardwareMemoryMiB, type Size } from '../../core/machine/machine.ts';
import { exec } from '../../host/exec.ts';
import { namespaceExists, removeNamespace } from '../../host/namespace.ts';
import { livePid } from '../../host/process.ts';
import { until } from '../../host/wait.ts';
import { type Capacity, type Observation, type Provider, ProviderError, type Seed } from '../provider.ts';
import { type Acceleration, FILES } from '../render/qemu.ts';
import { firewallRules } from '../render/ruleset.ts';
import { limitFiles } from '../render/seed.ts';
import { cgroups, limitCgroup, removeCgroup } from './cgroup.ts';
import {
  directories,
  type MachineDirectory,
  machineDirectory,
  markSeeded,
  observe,
  readMachine,
} from './directory.ts';
import { deliver, seedArchive } from './feed.ts';
import { putInPlace } from './filter.ts';
import { notedAt } from './flows.ts';
import { launch } from './launch.ts';
import { machineNamespace, prepare, type Site } from './prepare.ts';
import { processesOf } from './processes.ts';
import { detach, enclose } from './router.ts';
import { connectIn } from './socket.ts';
import { watchStates } from './watch.ts';

/**
 * The host's CPU that a machine may use beyond its fraction, for the node's own processes: thousandths. Emulated,
 * they need several times as much: an idle node alone takes 150, and exec and probes have to stay quick.
 */
export const NODE_SHARE_MILLI_CPU = { kvm: 250, tcg: 750 } as const;

/** How long a guest may take from its start until it has its seed; emulation on a busy host is slow. */
const SEED_LIMIT_MS = 180_000;

/** Memory of the host that is left to everything else: control plane, ordinary node, the product, MiB. */
const HOST_RESERVE_MIB = 3072;

/** Memory that QEMU takes beside the guest's own, MiB; under emulation 256 of it hold translated code. */
const QEMU_MEMORY_MIB = { kvm: 64, tcg: 384 } as const;

/** The smallest machine: with machines of this size QEMU's own memory weighs most. */
const SMALLEST: Size = { milliCpu: 250, memoryMiB: 512, storageGiB: 20 };

/** What a local provider works with. */
export interface LocalOptions extends Site {
  /** Room for machines; by default what the host has, less what it needs itself. */
  readonly capacity?: Capacity;
}

/** Memory of the host that a machine takes, MiB. */
const memoryTaken = (size: Size, acceleration: Acceleration): number =>
  hardwareMemoryMiB(size) + QEMU_MEMORY_MIB[acceleration];

/** The host's room such that machines of any size, QEMU's own memory included, never overcommit it. */
const hostCapacity = (acceleration: Acceleration): Capacity => {
  const usable = Math.max(0, Math.floor(totalmem() / 2 ** 20) - HOST_RESERVE_MIB);
  const share = SMALLEST.memoryMiB / memoryTaken(SMALLEST, acceleration);
  return { memoryMiB: Math.floor(usable * share), milliCpu: availableParallelism() * 1000 };
};

const availableMiB = (): number =>
  Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 1024;

/** Makes a provider; nothing happens until it is asked for something. */
export const localProvider = (options: LocalOptions): Provider => {
  const { cluster, router, acceleration } = options;
  const at = (name: string): MachineDirectory => machineDirectory(options.directory, name);
  const prefix = `${cluster}-`;
  const namespaceOf = (name: string): string => machineNamespace(cluster, name);

  const inspect = async (name: string): Promise<Observation> => {
    const directory = at(name);
    if (existsSync(directory.path)) return observe(directory);
    if (processesOf(cluster).has(name)) return { state: 'dead', reason: 'Its directory is gone.' };
    return namespaceExists(namespaceOf(name)) || cgroups(cluster).includes(name)
      ? { state: 'prepared' }
      : { state: 'absent' };
  };

  const requireAlive = async (name: string): Promise<void> => {
    const now = await inspect(name);
    if (now.state === 'running') return;
    throw new ProviderError(
      'machine-dead',
      now.state === 'dead' ? now.reason : `The machine ${name} is ${now.state}.`,
    );
  };

  return {
    name: 'local',
    capacity: async () => options.capacity ?? hostCapacity(acceleration),
    inspect,

    ensure: async (machine) => {
      const directory = at(machine.name);
      const { state } = await inspect(machine.name);
      if (state === 'running' || state === 'dead') return;
      if (machine.image !== options.image.hash) {
        throw new ProviderError(
          'bad-image',
          `the guest image ${machine.image} is not here; this host has ${options.image.hash}`,
        );
      }
      const needed = memoryTaken(machine.size, acceleration);
      if (availableMiB() < needed) {
        throw new ProviderError(
          'out-of-capacity',
          `this host has no ${needed} MiB of memory left for ${machine.name}`,
        );
      }
      // One that an earlier process began goes on: set up once more, its namespace would keep the guest's address.
      if (!(await launchUnderWay(directory))) await prepare(options, machine);
      await launch(namespaceOf(machine.name), directory);
    },

    feed: async (machine, seed) => {
      const directory = at(machine.name);
      await requireAlive(machine.name);
      await deliverSeed(directory, seed, () => requireAlive(machine.name));
      markSeeded(directory);
    },

    cap: async (machine) => {
      const directory = at(machine.name);
      await requireAlive(machine.name);
      await deliverSeed(directory, limitFiles(machine), () => requireAlive(machine.name));
      limitCgroup(cluster, machine.name, machine.size.milliCpu + NODE_SHARE_MILLI_CPU[acceleration]);
    },

    filter: async (name, firewall) => {
      const { state } = await inspect(name);
      return state === 'running' && putInPlace(namespaceOf(name), at(name), firewallRules(firewall));
    },

    noted: async ({ name, placement }, which) => {
      const { state } = await inspect(name);
      return state === 'running' ? notedAt(namespaceOf(name), which, placement.address, new Date()) : [];
    },

    enclose: (networks) => enclose(router, networks),

    remove: async (name) => {
      const directory = at(name);
      await killAll(name, () => processesOf(cluster).get(name) ?? [], directory);
      if (existsSync(directory.path)) {
        const log = join(directory.path, 'log');
        if (isMounted(log)) await exec('umount', [log]);
        const machine = readMachine(directory);
        const namespace = namespaceOf(name);
        if (machine !== undefined) await detach({ router, namespace, address: machine.placement.address });
      }
      await removeNamespace(namespaceOf(name));
      await removeCgroup(cluster, name);
      rmSync(directory.path, { recursive: true, force: true });
    },

    list: async () => {
      const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
      return [
        ...new Set([
          ...directories(options.directory),
          ...namespaces
            .filter((name) => name.startsWith(`${prefix}vm-`))
            .map((name) => name.slice(prefix.length)),
          ...processesOf(cluster).keys(),
          ...cgroups(cluster),
        ]),
      ].sort();
    },

    watch: (changed) =>
      watchStates(
        () =>
          new Map(
            directories(options.directory).map((name) => {
              const directory = at(name);
              // The process itself: one machine after another under the same name is another one.
              const pid = livePid(directory.pidFile);
              const seeded = existsSync(join(directory.path, 'seeded'));
              return [name, `${existsSync(directory.pidFile)} ${pid} ${seeded}`];
            }),
          ),
        changed,
      ),
  };
};

/** Delivers within the limit, giving up at once when the machine dies. @throws ProviderError */
const deliverSeed = async (
  directory: MachineDirectory,
  seed: Seed,
  requireAlive: () => Promise<void>,
): Promise<void> => {
  const stop = new AbortController();
  let last = 'none';
  const late = setTimeout(() => {
    const what = `the guest of ${directory.path} took no seed within ${SEED_LIMIT_MS / 1000} s`;
    stop.abort(new ProviderError('time-out', `${what}; last answer: ${last}`));
  }, SEED_LIMIT_MS);
  const looks = setInterval(() => {
    requireAlive().catch((cause: Error) => stop.abort(cause));
  }, 500);
  try {
    const open = () => connectIn(directory.path, FILES.seed);
    await deliver(open, await seedArchive(seed), stop.signal, (answer) => {
      last = answer;
    });
  } finally {
    clearTimeout(late);
    clearInterval(looks);
  }
};

/** Whether `launch`, or what has become of it, holds the machine's lock. */
const launchUnderWay = async ({ path }: MachineDirectory): Promise<boolean> => {
  const lock = join(path, 'lock');
  if (!existsSync(lock)) return false;
  return exec('flock', ['--nonblock', lock, 'true']).then(
    () => false,
    () => true,
  );
};

/**
 * Ends every process of a machine: the recorded one, and any that carries its name. A launch that is under way
 * holds the lock without a name yet; it is waited for, and then ended.
 */
const killAll = async (
  name: string,
  found: () => readonly number[],
  directory: MachineDirectory,
): Promise<void> => {
  await until(
    async () => {
      const recorded = livePid(directory.pidFile);
      const pids = [...found(), ...(recorded === undefined ? [] : [recorded])];
      for (const pid of new Set(pids)) signalIfThere(pid);
      return pids.length === 0 && !(await launchUnderWay(directory));
    },
    { limitMs: 30_000, what: `the processes of ${name} to end after SIGKILL` },
  );
};

const signalIfThere = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause;
  }
};

const isMounted = (path: string): boolean =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path.replaceAll(' ', '\\040'));
