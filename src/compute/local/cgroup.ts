/** The host's side of a machine's CPU limit: one cgroup per machine, in version 1 and 2 alike. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../host/wait.ts';

/** Microseconds of one accounting period (kernel doc sched-bwc). */
const PERIOD = 100_000;

/** Files of one machine's cgroup. */
interface Cgroup {
  readonly path: string;
  readonly procs: string;
  limit(microseconds: number): void;
}

const mounts = () =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, place = '', type = '', options = '']) => ({ place, type, options: options.split(',') }));

/** Version 2 only where it carries the cpu controller: a hybrid host has it without. */
const hierarchy = (): { version: 1 | 2; root: string } => {
  const all = mounts();
  const second = all.find(
    ({ place, type }) =>
      type === 'cgroup2' &&
      readFileSync(join(place, 'cgroup.controllers'), 'utf8').split(/\s/).includes('cpu'),
  );
  if (second !== undefined) return { version: 2, root: second.place };
  const first = all.find(({ type, options }) => type === 'cgroup' && options.includes('cpu'));
  if (first !== undefined) return { version: 1, root: first.place };
  throw new Error('this host has no cgroup hierarchy with the cpu controller, which limits machines');
};

const clusterPath = (root: string, cluster: string): string => join(root, 'cloister', cluster);

const cgroup = (cluster: string, machine: string): Cgroup => {
  const { version, root } = hierarchy();
  const path = join(clusterPath(root, cluster), machine);
  return {
    path,
    procs: join(path, 'cgroup.procs'),
    limit: (microseconds) =>
      version === 2
        ? writeFileSync(join(path, 'cpu.max'), `${microseconds} ${PERIOD}`)
        : writeFileSync(join(path, 'cpu.cfs_quota_us'), `${microseconds}`),
  };
};

/** Makes the machine's cgroup. @returns the file to write a process into */
export const makeCgroup = (cluster: string, machine: string): string => {
  const { version, root } = hierarchy();
  const { path, procs } = cgroup(cluster, machine);
  mkdirSync(path, { recursive: true });
  // Version 2 hands a controller down one level at a time (kernel doc cgroup-v2, "Enabling and Disabling").
  if (version === 2) {
    for (const level of [root, join(root, 'cloister'), clusterPath(root, cluster)]) {
      writeFileSync(join(level, 'cgroup.subtree_control'), '+cpu');
    }
  }
  return procs;
};

/** Limits the machine's process to thousandths of a CPU. */
export const limitCgroup = (cluster: string, machine: string, milliCpu: number): void =>
  cgroup(cluster, machine).limit((milliCpu * PERIOD) / 1000);

/** Names of machines that have a cgroup. */
export const cgroups = (cluster: string): readonly string[] => {
  const path = clusterPath(hierarchy().root, cluster);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
};

const removeEmpty = (path: string): boolean => {
  if (!existsSync(path)) return true;
  try {
    rmdirSync(path);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw cause;
  }
};

/** Removes the machine's cgroup once its process is gone, and those above it when they are empty. */
export const removeCgroup = async (cluster: string, machine: string): Promise<void> => {
  const { path } = cgroup(cluster, machine);
  await until(() => removeEmpty(path), { limitMs: 10_000, what: `the cgroup ${path} to be empty` });
  const { root } = hierarchy();
  for (const parent of [clusterPath(root, cluster), join(root, 'cloister')]) {
    if (
      !existsSync(parent) ||
      readdirSync(parent, { withFileTypes: true }).some((entry) => entry.isDirectory())
    )
      return;
    removeEmpty(parent);
  }
};
