/** What of a cluster exists on this host right now: found by looking. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { proxyPidFile } from '../compute/local/balancer.ts';
import { livePid } from '../host/process.ts';
import { places } from './plan.ts';
import { type ClusterRecord, readRecord } from './record.ts';
import { clusterNamespaces } from './stop.ts';

/** A cluster as found. */
export interface ClusterStatus {
  /** Undefined when no cluster was started. */
  readonly record: ClusterRecord | undefined;
  /** Recorded programs; without a pid they have ended. */
  readonly programs: readonly { readonly name: string; readonly pid: number | undefined }[];
  readonly namespaces: readonly string[];
  /** Names of machine directories, with the pid of the virtual machine if it runs. */
  readonly machines: readonly { readonly name: string; readonly pid: number | undefined }[];
}

const entries = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

/** Looks at processes, namespaces and machine directories of a cluster. */
export const clusterStatus = ({ name, state }: { name: string; state: string }): ClusterStatus => {
  const { pids, machines, balancer } = places(state);
  const records = entries(pids).map((file) => [file.replace(/\.pid$/, ''), join(pids, file)] as const);
  const proxy = proxyPidFile(balancer);
  return {
    record: readRecord(state),
    programs: [...records, ...(existsSync(proxy) ? [['haproxy', proxy] as const] : [])].map(
      ([program, file]) => ({ name: program, pid: livePid(file) }),
    ),
    namespaces: clusterNamespaces(name).toSorted(),
    machines: entries(machines).map((machine) => ({
      name: machine,
      pid: livePid(`${machines}/${machine}/pid`),
    })),
  };
};
