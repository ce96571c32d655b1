/** The provisioned size of a machine: 74 steps of CPU and memory, and a scratch disk (spec/fargate.md §4). */
import { NODE_MEMORY_MIB, type Size } from '../machine/machine.ts';
import { TOO_LARGE_REASON, UNSUPPORTED_REASON } from '../names.ts';
import type { Requests } from './requests.ts';

/** CPU and memory of one step. */
export interface Step {
  readonly milliCpu: number;
  readonly memoryMiB: number;
}

/** Why no size is large enough: reason and message of the pod's condition and event. */
export interface TooLarge {
  readonly reason: typeof TOO_LARGE_REASON | typeof UNSUPPORTED_REASON;
  readonly message: string;
}

export type Sizing = { readonly ok: Size } | { readonly tooLarge: TooLarge };

const range = (milliCpu: number, from: number, to: number, by: number): readonly Step[] =>
  Array.from({ length: (to - from) / by + 1 }, (_, i) => ({ milliCpu, memoryMiB: (from + i * by) * 1024 }));

/** All steps, least CPU first, then least memory (§4.1; 1 GB = 1024 MiB). */
export const STEPS: readonly Step[] = [
  { milliCpu: 250, memoryMiB: 512 },
  ...range(250, 1, 2, 1),
  ...range(500, 1, 4, 1),
  ...range(1000, 2, 8, 1),
  ...range(2000, 4, 16, 1),
  ...range(4000, 8, 30, 1),
  ...range(8000, 16, 60, 4),
  ...range(16000, 32, 120, 8),
];

/** Scratch disk of a pod that asks for no more than fits in it, in GiB (§4.4). */
const DEFAULT_STORAGE_GIB = 20;
/** What pods can ask for at most, in GiB (§4.4). */
export const MAX_STORAGE_GIB = 175;
/** Added to what is asked for, in GiB: 100 requested are 115 provisioned (§4.4). */
const STORAGE_SURCHARGE_GIB = 15;

/**
 * What a scratch disk loses to its file system and the node's own files, in GiB. It makes 16 GiB usable of
 * the default 20, about what nodes of the original report (16.8, §4.4).
 */
export const STORAGE_RESERVE_GIB = 4;

/**
 * The scratch disk for a request. Our reading of §4.4: requests that fit into the default disk get it;
 * larger ones get the request, rounded up to a GiB, plus a flat 15 GiB, up to 190 for the largest.
 */
const storageFor = (storageMiB: number): number =>
  storageMiB <= (DEFAULT_STORAGE_GIB - STORAGE_RESERVE_GIB) * 1024
    ? DEFAULT_STORAGE_GIB
    : Math.ceil(storageMiB / 1024) + STORAGE_SURCHARGE_GIB;

const TOO_LARGE: TooLarge = {
  reason: TOO_LARGE_REASON,
  message: "Your pod's cpu/memory requirements exceed the max Fargate configuration",
};

const TOO_MUCH_STORAGE: TooLarge = {
  reason: UNSUPPORTED_REASON,
  message: `Pod not supported on Fargate: ephemeral-storage requests exceed ${MAX_STORAGE_GIB}Gi`,
};

/**
 * The smallest step that has the CPU asked for, and the memory asked for plus 256 MiB for the node's own
 * processes: least CPU first, then least memory (§4.2 steps 4 to 6). Limits do not count.
 */
export const sizeFor = (requests: Requests): Sizing => {
  const memoryMiB = requests.memoryMiB + NODE_MEMORY_MIB;
  const step = STEPS.find((s) => s.milliCpu >= requests.milliCpu && s.memoryMiB >= memoryMiB);
  if (step === undefined) return { tooLarge: TOO_LARGE };
  if (requests.storageMiB > MAX_STORAGE_GIB * 1024) return { tooLarge: TOO_MUCH_STORAGE };
  return { ok: { ...step, storageGiB: storageFor(requests.storageMiB) } };
};

/** The text of the annotation `CapacityProvisioned`, e.g. `0.25vCPU 0.5GB`; the disk is no part of it. */
export const capacityProvisioned = (size: Step): string =>
  `${size.milliCpu / 1000}vCPU ${size.memoryMiB / 1024}GB`;
