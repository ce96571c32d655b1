/** What one pod's machine is: decided once, when the pod is scheduled, and frozen from then on. */

import type { Opened } from './opened.ts';

/** The provisioned size of a machine, one of the 74 steps of spec/fargate.md §4.1 plus its scratch disk. */
export interface Size {
  /** Thousandths of a vCPU: 250, 500, 1000, 2000, 4000, 8000 or 16000. */
  readonly milliCpu: number;
  /** Memory of the virtual machine in MiB, node processes included. */
  readonly memoryMiB: number;
  /** Scratch disk in GiB: container layers, emptyDir, logs (§4.4). */
  readonly storageGiB: number;
}

/** The pod that a machine exists for. */
export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Where a machine stands: the subnet that gives its address, and what follows from it. */
export interface Placement {
  readonly subnet: string;
  readonly zone: string;
  readonly region: string;
  /** IPv4 address of pod and node alike. */
  readonly address: string;
}

/** One pod's machine, the spec of a MicroVM object. */
export interface Machine {
  /** `vm-<pod uid>`: the MicroVM's name, and the name of everything made for it. */
  readonly name: string;
  readonly pod: PodReference;
  readonly profile: string;
  readonly size: Size;
  readonly placement: Placement;
  /** Security group names; empty means the cluster security group. */
  readonly securityGroups: readonly string[];
  /** Hash that names the guest image, the "platform version" that patching compares. */
  readonly image: string;
  /** What the profile's policy gives beyond the original. */
  readonly opened?: Opened | undefined;
}

/** Virtual CPUs that the guest sees: the size rounded up to whole ones. */
export const vcpus = (size: Size): number => Math.ceil(size.milliCpu / 1000);

/**
 * Memory of the virtual hardware in MiB: the size, and what a kernel takes at boot in proportion to it, so that
 * small and large guests lose the same to theirs. That is a descriptor of 64 bytes for every page of 4 KiB (kernel
 * doc mm/vmemmap_dedup), and hash tables of files and connections, an eighth of that. Left out, it would leave
 * too little for the pod from 13 GB on.
 */
export const hardwareMemoryMiB = ({ memoryMiB }: Size): number =>
  memoryMiB + Math.ceil((memoryMiB * 9) / 512);

/** Memory that the node's own processes take of every machine, in MiB (spec/fargate.md §4.2 step 4). */
export const NODE_MEMORY_MIB = 256;
