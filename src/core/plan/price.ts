/** What a pod costs while it runs (spec/fargate.md §12). */
import type { Size } from '../machine/machine.ts';

/** Prices per hour, from the user's own file: they differ by region and change. */
export interface Rates {
  readonly currency: string;
  readonly vcpuHour: number;
  readonly gbHour: number;
  /** For each GB of scratch disk beyond what is free. */
  readonly storageGbHour: number;
}

/** Scratch disk that costs nothing, in GB (§12). */
const FREE_STORAGE_GB = 20;

/** Price of one pod per hour: of what is provisioned, not of what is asked for. */
export const pricePerHour = (size: Size, rates: Rates): number =>
  (size.milliCpu / 1000) * rates.vcpuHour +
  (size.memoryMiB / 1024) * rates.gbHour +
  Math.max(0, size.storageGiB - FREE_STORAGE_GB) * rates.storageGbHour;
