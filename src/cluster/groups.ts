/** Control groups of the ordinary node's pods, in every hierarchy that this host has (cgroups(7)). */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../host/wait.ts';

const ROOT = '/sys/fs/cgroup';

/** The top folders of all hierarchies: one on version 2, one per controller (and not its links) on version 1. */
const hierarchies = (): readonly string[] =>
  existsSync(join(ROOT, 'cgroup.controllers'))
    ? [ROOT]
    : readdirSync(ROOT, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(ROOT, entry.name))
        .filter((path) => existsSync(join(path, 'cgroup.procs')));

/** On version 1 a cpuset is unusable until somebody copies these down (cpuset(7)). */
const CPUSET_FILES = ['cpuset.cpus', 'cpuset.mems'] as const;

/** On version 2 a group's children have only the controllers that it enables for them. */
const enableControllers = (parent: string): void => {
  const available = readFileSync(join(parent, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean);
  for (const controller of available) writeFileSync(join(parent, 'cgroup.subtree_control'), `+${controller}`);
};

/**
 * Makes the group in every hierarchy.
 * @param group name below each hierarchy's root, one level
 * @returns its absolute paths
 */
export const ensureControlGroup = (group: string): readonly string[] =>
  hierarchies().map((hierarchy) => {
    const path = join(hierarchy, group);
    mkdirSync(path, { recursive: true });
    if (existsSync(join(path, 'cgroup.controllers'))) {
      enableControllers(hierarchy);
      return path;
    }
    for (const file of CPUSET_FILES) {
      if (!existsSync(join(path, file)) || readFileSync(join(path, file), 'utf8').trim() !== '') continue;
      writeFileSync(join(path, file), readFileSync(join(hierarchy, file), 'utf8'));
    }
    return path;
  });

const hasChildren = (path: string): boolean =>
  readdirSync(path, { withFileTypes: true }).some((entry) => entry.isDirectory());

const removeTree = (path: string): void => {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  }
  rmdirSync(path);
};

/**
 * Removes the group, all below it, and a parent that is empty then, waiting for processes that are just ending.
 */
export const removeControlGroup = async (group: string): Promise<void> => {
  for (const hierarchy of hierarchies()) {
    const path = join(hierarchy, group);
    await until(
      () => {
        if (existsSync(path)) removeTree(path);
        return true;
      },
      { limitMs: 10_000, what: `the processes of the control group ${path} to end` },
    );
    const parent = dirname(path);
    if (parent !== hierarchy && existsSync(parent) && !hasChildren(parent)) rmdirSync(parent);
  }
};
