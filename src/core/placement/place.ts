/** Where a machine goes: a subnet of its profile, a free address in it, and room on the hosts. */
import type { Placement, Size } from '../machine/machine.ts';
import { formatAddress } from '../net/ipv4.ts';
import { capacityProvisioned } from '../sizing/size.ts';
import type { Occupancy, Room } from './occupancy.ts';
import { RESERVED_FIRST, type SubnetChoice, type UsableSubnet, usableAddresses } from './subnets.ts';

/** What the rules of a pod say about subnets. */
export interface Suitability {
  /** Why the pod cannot be in the subnet, or undefined when it can. */
  readonly mismatch: (subnet: UsableSubnet) => string | undefined;
  /** Negative when the pod prefers the first of two subnets. */
  readonly compare: (a: UsableSubnet, b: UsableSubnet) => number;
}

/** Everything that placing a machine depends on. */
export interface Question {
  readonly podUid: string;
  readonly size: Size;
  readonly region: string;
  readonly subnets: SubnetChoice;
  /** The machines that exist. */
  readonly occupancy: Occupancy;
  /** Room of all hosts together. */
  readonly capacity: Room;
  /** Which subnets suit the pod, and which of them it prefers; without it, all do alike. */
  readonly suitability?: Suitability;
}

/** What has to appear before the pod can be placed. */
type Missing = 'subnet' | 'suitable-zone' | 'address' | 'room';

export type Placing =
  | { readonly placement: Placement }
  | { readonly waits: { readonly for: Missing; readonly message: string } };

/** The original's text for hosts that are full (spec/fargate.md §11.4). */
const NO_CAPACITY =
  'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone';

/** FNV-1a, 32 bits: spreads pods over a subnet. */
const hash = (text: string): number => {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
};

/**
 * A free address, looked for from a point that the pod's UID decides: so an address that was just freed is
 * seldom the next one given, and the same question has the same answer. Subnets that overlap by mistake do
 * not give an address twice.
 */
const freeAddress = (subnet: UsableSubnet, podUid: string, occupancy: Occupancy): string | undefined => {
  const count = usableAddresses(subnet.network);
  const first = subnet.network.first + RESERVED_FIRST;
  const start = hash(podUid) % count;
  for (let i = 0; i < count; i += 1) {
    const address = first + ((start + i) % count);
    if (!occupancy.isTaken(address)) return formatAddress(address);
  }
  return undefined;
};

const ALIKE: Suitability = { mismatch: () => undefined, compare: () => 0 };

const waits = (what: Missing, message: string): Placing => ({ waits: { for: what, message } });

/** For people: `3.5 vCPU and 5.9 GB`, rounded down. */
const inWords = ({ milliCpu, memoryMiB }: Room): string =>
  `${Math.floor(milliCpu / 100) / 10} vCPU and ${Math.floor((memoryMiB / 1024) * 10) / 10} GB`;

/** Says so when the hosts are full, and more when even empty ones are too small for the pod. */
const lacksRoom = ({ size, capacity, occupancy: { used } }: Question): Placing | undefined => {
  if (size.memoryMiB > capacity.memoryMiB || size.milliCpu > capacity.milliCpu) {
    const detail = `the pod needs ${capacityProvisioned(size)}, all hosts together have ${inWords(capacity)}`;
    return waits('room', `${NO_CAPACITY}: ${detail}`);
  }
  const fits =
    used.memoryMiB + size.memoryMiB <= capacity.memoryMiB &&
    used.milliCpu + size.milliCpu <= capacity.milliCpu;
  return fits ? undefined : waits('room', NO_CAPACITY);
};

/**
 * Places a machine, or says what it waits for. Among the profile's subnets that suit, and that the pod prefers,
 * the one with the fewest addresses in use is taken, by name where equal (§1.7: pods are spread, evenness is not
 * promised).
 */
export const place = (question: Question): Placing => {
  const { subnets, occupancy, podUid, region, suitability = ALIKE } = question;
  if (subnets.usable.length === 0) return waits('subnet', subnets.problems.join('; '));
  const inUse = ({ name }: UsableSubnet): number => occupancy.inUse(name);
  const suitable = subnets.usable
    .filter((subnet) => suitability.mismatch(subnet) === undefined)
    .sort((a, b) => suitability.compare(a, b) || inUse(a) - inUse(b) || (a.name < b.name ? -1 : 1));
  if (suitable.length === 0) {
    const reasons = new Set(subnets.usable.map((subnet) => suitability.mismatch(subnet)));
    return waits('suitable-zone', [...reasons].join('; '));
  }
  const full = lacksRoom(question);
  if (full !== undefined) return full;
  for (const subnet of suitable) {
    const address = freeAddress(subnet, podUid, occupancy);
    if (address !== undefined)
      return { placement: { subnet: subnet.name, zone: subnet.zone, region, address } };
  }
  const names = suitable.map((subnet) => subnet.name).sort();
  return waits('address', `No free address in the Fargate profile's subnets: ${names.join(', ')}`);
};
