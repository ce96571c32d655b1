/**
 * What the stages ask of whoever runs machines. Every call is idempotent by the machine's name, may be
 * repeated after a crash at any instruction, and waits under a limit.
 */
import type { Firewall } from '../core/firewall/firewall.ts';
import type { Noted } from '../core/flows/refused.ts';
import type { Machine } from '../core/machine/machine.ts';

/** Room for machines, before what existing machines take is subtracted. */
export interface Capacity {
  /** Memory that machines may use in all, in MiB. Never overcommitted. */
  readonly memoryMiB: number;
  /** vCPU that machines may use in all, in thousandths. */
  readonly milliCpu: number;
}

/** A machine as it really is now, found by looking and not by remembering. */
export type Observation =
  /** Nothing of the machine exists. */
  | { readonly state: 'absent' }
  /** Parts exist, but the virtual machine has not been started. */
  | { readonly state: 'prepared' }
  /** The virtual machine lives; `seeded` once the guest has acknowledged its seed. */
  | { readonly state: 'running'; readonly seeded: boolean; readonly startedAt: Date }
  /** It was started and has ended; `reason` is one plain sentence for the pod's status. */
  | { readonly state: 'dead'; readonly reason: string };

/** Files to put into a guest, by absolute path. A renewal is a seed with fewer files. */
export interface Seed {
  readonly files: Readonly<Record<string, { readonly content: string; readonly mode: number }>>;
}

/** Runs machines: `local` on this host; `fake` writes files and runs nothing, for tests. */
export interface Provider {
  readonly name: string;
  /** Room of all hosts together. */
  capacity(): Promise<Capacity>;
  /** Makes what is missing of the machine, and starts it if it never ran. @throws ProviderError */
  ensure(machine: Machine): Promise<void>;
  /** Delivers files and resolves when the guest has them in place. @throws ProviderError */
  feed(machine: Machine, seed: Seed): Promise<void>;
  /** Enforces the vCPU fraction, inside the guest and around it. Called when the pod runs. @throws ProviderError */
  cap(machine: Machine): Promise<void>;
  /**
   * Puts a machine's filter in place of the one before, whole or not at all; connections that stay allowed go on.
   * A machine starts closed, and one that does not run is left alone: `watch` tells when it does.
   * @returns whether other rules than before are in place now
   * @throws ProviderError `rules-refused` when the host does not take them; those before stay
   */
  filter(name: string, firewall: Firewall): Promise<boolean>;
  /**
   * Connections that the machine's filter refused within ten minutes, or accepted within one; of those that differ
   * in their source ports alone one. None of a machine that does not run.
   */
  noted(machine: Machine, which: 'refused' | 'accepted'): Promise<readonly Noted[]>;
  /** From now on, addresses of exactly these networks that belong to nobody lead nowhere, and never out. */
  enclose(networks: readonly string[]): Promise<void>;
  inspect(name: string): Promise<Observation>;
  /** Stops the machine and removes everything made for it; resolves when nothing is left. */
  remove(name: string): Promise<void>;
  /** Names of all machines of which anything exists. */
  list(): Promise<readonly string[]>;
  /** Calls `changed` with a machine's name whenever its observation may have changed. Returns the way to stop. */
  watch(changed: (name: string) => void): () => void;
}

/** Why a provider could not do what was asked; decided by `kind`, never by text. */
export class ProviderError extends Error {
  readonly kind:
    | 'out-of-capacity'
    | 'host-unusable'
    | 'bad-image'
    | 'time-out'
    | 'machine-dead'
    | 'rules-refused';
  constructor(kind: ProviderError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProviderError';
    this.kind = kind;
  }
}
