/** What a cluster was started with, kept in its state folder, and the lock of whoever changes it. */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { livePid, recordPid } from '../host/process.ts';
import { places } from './plan.ts';

/** The settings of a cluster, fixed while it exists, and the ports that its door took. */
export interface ClusterRecord {
  readonly name: string;
  /** Kubernetes minor, `1.36`. */
  readonly kubernetesVersion: string;
  /** Whether it has the ordinary node. */
  readonly nodes: boolean;
  /** Whether pods reach what lies outside the cluster. */
  readonly egress: boolean;
  /** Folder of the programs. */
  readonly components: string;
  /** Ports on 127.0.0.1 by the door's names; empty until the door was opened. */
  readonly ports: Readonly<Record<string, number>>;
}

/** The record in a state folder; undefined when no cluster was started there. */
export const readRecord = (state: string): ClusterRecord | undefined => {
  const file = places(state).record;
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ClusterRecord) : undefined;
};

export const writeRecord = (state: string, record: ClusterRecord): void => {
  const file = places(state).record;
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
};

/** Settings that a running cluster cannot change. */
type Fixed = Pick<ClusterRecord, 'kubernetesVersion' | 'nodes' | 'egress'>;

const withOrWithout = (is: boolean): string => (is ? 'with' : 'without');

/** How people are told of them; `./tool status` tells the same. */
export const settingsOf = ({ kubernetesVersion, nodes, egress }: Fixed): readonly string[] => [
  `Kubernetes ${kubernetesVersion}`,
  `${withOrWithout(nodes)} an ordinary node`,
  `${withOrWithout(egress)} egress`,
];

/** @throws Error when a cluster that exists was started with other settings */
export const requireSame = (existing: ClusterRecord, wanted: Fixed): void => {
  const [is, asked] = [settingsOf(existing), settingsOf(wanted)];
  const different = is.filter((setting) => !asked.includes(setting));
  if (different.length === 0) return;
  const instead = asked.filter((setting) => !is.includes(setting));
  throw new Error(
    `the cluster ${existing.name} exists, ${different.join(', ')}, and cannot become one ${instead.join(', ')}: ` +
      'take it down first, or start it as it was',
  );
};

/**
 * Runs something that nobody else may do to this cluster at the same time. The lock is a process record
 * beside the state folder; one whose process has ended counts for nothing.
 * @throws Error when somebody else is at it
 */
export const withLock = async <T>(state: string, run: () => Promise<T>): Promise<T> => {
  const lock = `${state}.lock`;
  mkdirSync(dirname(state), { recursive: true, mode: 0o700 });
  const own = `${lock}.${process.pid}`;
  recordPid(own, process.pid);
  try {
    if (livePid(lock) === undefined) rmSync(lock, { force: true });
    linkSync(own, lock); // fails when the lock exists: of two at once, one gets it
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new Error(`process ${livePid(lock)} is starting or stopping this cluster: wait for it to end`, {
      cause,
    });
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await run();
  } finally {
    rmSync(lock, { force: true });
  }
};
