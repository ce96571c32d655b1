/**
 * Keeps the packet filter of every machine as groups, policies and pods would have it. A change recalculates
 * those firewalls only that were made from what changed, and a machine is programmed only when its rules are
 * others. Nothing here opens a filter by failing: rules stay as they are until others take their place, and a
 * machine starts closed.
 */
import type { Logger } from 'pino';
import { machineOf } from '../api/micro-vm.ts';
import { type Provider, ProviderError } from '../compute/provider.ts';
import { firewallOf } from '../core/firewall/compile.ts';
import type { Machine } from '../core/machine/machine.ts';
import { type Controller, done, runController } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import { watchNeeds } from './changes.ts';
import { liveWorld } from './live-world.ts';
import type { FirewallStores } from './stores.ts';

/** What the filters are made from, and where they are put in place. */
export type FilterContext = FirewallStores & {
  readonly provider: Pick<Provider, 'filter' | 'watch'>;
  readonly events: EventRecorder;
  readonly log: Logger;
};

/** Filters put in place at the same time: each is a program that mostly waits, for the kernel to let go of old rules. */
const WORKERS = 32;

/** Changes that come together are taken together, in milliseconds. */
const TOGETHER_MS = 50;

/** Reason of the event on a pod whose machine does not take its rules. */
const REFUSED_REASON = 'PacketFilterRefused';

/** Starts keeping the filters. The stores must be synced. Gives the way to stop; the filters stay. */
export const runFilters = (context: FilterContext): Pick<Controller, 'stop'> => {
  const { microVMs, provider, log } = context;
  const world = liveWorld(context);
  /** What each machine's firewall was made from. */
  const needs = new Map<string, ReadonlySet<string>>();
  /** When the oldest change came that a machine's filter does not show yet. */
  const since = new Map<string, number>();

  const controller = runController({
    name: 'filters',
    workers: WORKERS,
    reconcile: async (name) => {
      const vm = microVMs.get(name);
      const began = since.get(name);
      since.delete(name);
      if (vm === undefined) {
        needs.delete(name);
        return done;
      }
      const machine = machineOf(vm);
      const { firewall, needs: asked } = firewallOf(machine, world.now());
      needs.set(name, asked);
      if (firewall === undefined) return done;
      const changed = await provider.filter(name, firewall).catch((cause) => report(cause, machine, context));
      if (changed && began !== undefined)
        log.info({ machine: name, ms: Math.round(performance.now() - began) }, 'packet filter in place');
      return done;
    },
    log,
  });
  const look = (name: string, afterMs = 0): void => {
    if (!since.has(name)) since.set(name, performance.now());
    controller.enqueue(name, afterMs);
  };
  const unsubscribe = [
    world.stop,
    watchNeeds(context, (changed) => {
      for (const [name, asked] of needs) {
        if (changed.some((one) => asked.has(one))) look(name, TOGETHER_MS);
      }
    }),
    microVMs.onChange((name, now, before) => {
      if (now === undefined || before === undefined) look(name);
    }),
    provider.watch((name) => look(name)),
  ];
  for (const { metadata } of microVMs.list()) look(metadata.name);
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await controller.stop();
    },
  };
};

/** Tells people of rules that the host did not take; they are tried again. @throws what it was given */
const report = async (cause: unknown, machine: Machine, { events }: FilterContext): Promise<never> => {
  if (cause instanceof ProviderError && cause.kind === 'rules-refused') {
    await events.event(
      { apiVersion: 'v1', kind: 'Pod', ...machine.pod },
      'Warning',
      REFUSED_REASON,
      `The packet filter of this pod's machine stays as it was: ${cause.message}`,
    );
  }
  throw cause;
};
