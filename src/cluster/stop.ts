/** Taking a cluster down so that nothing of it is left, whatever state it is in. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeRouter } from '../compute/local/router.ts';
import { exec } from '../host/exec.ts';
import { removeNamespace } from '../host/namespace.ts';
import { until } from '../host/wait.ts';
import { removeControlGroup } from './groups.ts';
import { machinesControlGroup, namespaces, nodeControlGroup, requireName } from './plan.ts';
import { withLock } from './record.ts';

/** Names of all network namespaces of a cluster, those of its machines included. */
export const clusterNamespaces = (name: string): readonly string[] =>
  existsSync('/run/netns') ? readdirSync('/run/netns').filter((entry) => entry.startsWith(`${name}-`)) : [];

/** Processes whose network is one of the namespaces. */
const processesIn = async (namespace: string): Promise<readonly number[]> =>
  (await exec('ip', ['netns', 'pids', namespace])).trim().split('\n').filter(Boolean).map(Number);

/**
 * Everything that runs for a cluster runs in one of its network namespaces, or in a process namespace that
 * ends with a process there. Nothing of it outlives the cluster, so nothing is asked to end gently.
 */
export const endProcesses = async (namespace: string): Promise<void> => {
  await until(
    async () => {
      const left = await processesIn(namespace);
      for (const pid of left) kill(pid);
      return left.length === 0;
    },
    { limitMs: 20_000, what: `the processes in ${namespace} to end` },
  );
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause;
  }
};

/** Ends every process of a cluster. The control plane first: whatever makes machines must not make another one now. */
export const endCluster = async (name: string): Promise<void> => {
  const { control } = namespaces(name);
  const all = clusterNamespaces(name);
  const ordered = [control, ...all.filter((namespace) => namespace !== control)];
  for (const namespace of ordered) if (all.includes(namespace)) await endProcesses(namespace);
};

/**
 * Removes a cluster: processes, network namespaces, mounts, control groups and its state folder. Works without
 * the state folder, too, and does nothing when there is nothing.
 */
export const stopCluster = async ({ name, state }: { name: string; state: string }): Promise<void> => {
  requireName(name);
  await withLock(state, async () => {
    const { router } = namespaces(name);
    await endCluster(name);
    for (const namespace of clusterNamespaces(name))
      if (namespace !== router) await removeNamespace(namespace);
    await removeRouter(router);
    await removeControlGroup(nodeControlGroup(name));
    await removeControlGroup(machinesControlGroup(name));
    await unmountBelow(state);
    rmSync(state, { recursive: true, force: true });
  });
  removeIfEmpty(dirname(state));
};

/** Unmounts what is mounted below a folder: the local provider gives each machine a small file system for its logs. */
export const unmountBelow = async (folder: string): Promise<void> => {
  const places = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${folder}/`));
  for (const place of places.toReversed()) await exec('umount', [place]);
};

const removeIfEmpty = (folder: string): void => {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
};
