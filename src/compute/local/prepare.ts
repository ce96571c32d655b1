/** Everything of a machine that precedes its launch: directory, namespace, cgroup. Safe to repeat. */
import type { Machine } from '../../core/machine/machine.ts';
import { addNamespace } from '../../host/namespace.ts';
import { networkBatch } from '../render/network.ts';
import { type Acceleration, qemuArguments } from '../render/qemu.ts';
import { ruleset } from '../render/ruleset.ts';
import { makeCgroup } from './cgroup.ts';
import { machineDirectory, writeDirectory } from './directory.ts';
import { attach } from './router.ts';

/** The image that machines boot; made by src/guest. */
export interface BootImage {
  readonly hash: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
  /** The raw disk under scratch overlays of a size. */
  scratchBase(storageGiB: number): Promise<string>;
}

/** Where machines are made. */
export interface Site {
  /** Name of the cluster; prefix of every namespace and process name. */
  readonly cluster: string;
  /** Directory of machine directories, mode 0700 for root alone. */
  readonly directory: string;
  readonly image: BootImage;
  /** Namespace of the VPC router. */
  readonly router: string;
  readonly acceleration: Acceleration;
}

/** The network namespace of a cluster's machine. */
export const machineNamespace = (cluster: string, name: string): string => `${cluster}-${name}`;

/** Prepares a machine. Gives the namespace to launch it in. @throws ExecError */
export const prepare = async (site: Site, machine: Machine): Promise<string> => {
  const { cluster, image, router } = site;
  writeDirectory(machineDirectory(site.directory, machine.name), machine, {
    qemu: `${qemuArguments(machine, { ...site, ...image }).join('\n')}\n`,
    network: `${networkBatch(machine).join('\n')}\n`,
    'ruleset.nft': ruleset(machine.placement.address),
    backing: `${await image.scratchBase(machine.size.storageGiB)}\n`,
    cgroups: `${makeCgroup(cluster, machine.name)}\n`,
  });
  const namespace = machineNamespace(cluster, machine.name);
  await addNamespace(namespace);
  await attach({ router, namespace, address: machine.placement.address });
  return namespace;
};
