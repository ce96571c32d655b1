/**
 * What machines take of hosts and subnets, kept up to date one machine at a time: a decision must not cost
 * more because a thousand machines run.
 */
import type { Machine } from '../machine/machine.ts';
import { parseAddress } from '../net/ipv4.ts';

/** Memory in MiB and vCPU in thousandths, of hosts or of the machines on them. */
export interface Room {
  readonly memoryMiB: number;
  readonly milliCpu: number;
}

/** A machine that exists, and whether it still takes room on a host: a dead one keeps its address only. */
export interface ExistingMachine extends Pick<Machine, 'size' | 'placement' | 'opened'> {
  readonly dead: boolean;
}

/** Counts that vanish at zero. */
class Tally<K> {
  readonly #counts = new Map<K, number>();

  get(key: K): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: K, difference: number): void {
    const count = this.get(key) + difference;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}

/** All machines that exist, as placement asks about them. */
export class Occupancy {
  readonly #machines = new Map<string, ExistingMachine>();
  readonly #addresses = new Tally<number>();
  readonly #subnets = new Tally<string>();
  #memoryMiB = 0;
  #milliCpu = 0;

  /** @param machines by name */
  constructor(machines: Iterable<readonly [string, ExistingMachine]> = []) {
    for (const [name, machine] of machines) this.set(name, machine);
  }

  /** Takes in what a machine has become; undefined when it is gone. */
  set(name: string, machine: ExistingMachine | undefined): void {
    const before = this.#machines.get(name);
    if (before !== undefined) this.#count(before, -1);
    if (machine === undefined) this.#machines.delete(name);
    else {
      this.#machines.set(name, machine);
      this.#count(machine, 1);
    }
  }

  /** The machine of that name, if it exists. */
  get(name: string): ExistingMachine | undefined {
    return this.#machines.get(name);
  }

  /** What all machines that are not dead use. */
  get used(): Room {
    return { memoryMiB: this.#memoryMiB, milliCpu: this.#milliCpu };
  }

  /** How many machines have an address of the subnet. */
  inUse(subnet: string): number {
    return this.#subnets.get(subnet);
  }

  /** Whether any machine has the address, in whatever subnet. */
  isTaken(address: number): boolean {
    return this.#addresses.get(address) > 0;
  }

  /** The same machines, to go on with as if more were made. */
  copy(): Occupancy {
    return new Occupancy(this.#machines);
  }

  #count({ size, placement, dead }: ExistingMachine, sign: 1 | -1): void {
    const address = parseAddress(placement.address);
    if (address !== undefined) this.#addresses.add(address, sign);
    this.#subnets.add(placement.subnet, sign);
    if (dead) return;
    this.#memoryMiB += sign * size.memoryMiB;
    this.#milliCpu += sign * size.milliCpu;
  }
}
