/** What commands share: which cluster, where its data and the cache are, and how it shall be. */

import { DEFAULT_NAME, requireName } from '../cluster/plan.ts';
import { cacheFolder, stateFolder } from '../host/folders.ts';

/** Options of commands that start a cluster, as commander gives them. */
export interface ClusterFlags {
  readonly name: string;
  readonly kubernetesVersion: string;
  readonly nodes: boolean;
  readonly egress: boolean;
  /** Folder of prebuilt programs. */
  readonly components?: string;
  readonly apiPort?: number;
}

/** The Kubernetes minor that clusters get when none is asked for. */
export const DEFAULT_MINOR = '1.36';

/** How a cluster is when nothing is asked for. */
export const DEFAULTS: ClusterFlags = {
  name: DEFAULT_NAME,
  kubernetesVersion: DEFAULT_MINOR,
  nodes: true,
  egress: true,
};

/** Name and folders of a cluster. @throws Error when the name cannot be one */
export const locate = (
  name: string,
): { readonly name: string; readonly state: string; readonly cache: string } => {
  requireName(name);
  return { name, state: stateFolder(name), cache: cacheFolder() };
};
