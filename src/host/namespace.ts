/** Network namespaces by name, as `ip netns` keeps them under /run/netns. */
import { existsSync } from 'node:fs';
import { exec } from './exec.ts';

const path = (namespace: string): string => `/run/netns/${namespace}`;

/** Whether the namespace exists. */
export const namespaceExists = (namespace: string): boolean => existsSync(path(namespace));

/** Makes the namespace, with its loopback up, unless it exists. */
export const addNamespace = async (namespace: string): Promise<void> => {
  if (!namespaceExists(namespace)) await exec('ip', ['netns', 'add', namespace]);
  await exec('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
};

/** Removes the namespace and with it every interface inside; nothing when it does not exist. */
export const removeNamespace = async (namespace: string): Promise<void> => {
  if (namespaceExists(namespace)) await exec('ip', ['netns', 'del', namespace]);
};

/**
 * The command line that runs a program inside the namespace. `nsenter --net` and not `ip netns exec`: the
 * latter remounts /sys and hides the cgroup hierarchy.
 */
export const inNamespace = (
  namespace: string,
  program: string,
  args: readonly string[],
): readonly [string, readonly string[]] => ['nsenter', [`--net=${path(namespace)}`, '--', program, ...args]];

/** Runs `ip -batch` lines inside the namespace; the first line that fails stops it with its number. */
export const ipBatch = async (namespace: string, lines: readonly string[]): Promise<void> => {
  const [program, args] = inNamespace(namespace, 'ip', ['-batch', '-']);
  await exec(program, args, { input: `${lines.join('\n')}\n` });
};
