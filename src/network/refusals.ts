/**
 * Tells people which connections the filters refuse, and why: the latest of each machine on its MicroVM, and each
 * reason once as an event on the pod. The kernel keeps the connections, so they are read in samples, and nothing
 * stays beside the machines.
 */
import type { Logger } from 'pino';
import { type MicroVM, machineOf } from '../api/micro-vm.ts';
import { microVMs as resource } from '../api/resources.ts';
import type { Provider } from '../compute/provider.ts';
import { firewallOf } from '../core/firewall/compile.ts';
import {
  explainRefused,
  KEPT_MOST,
  type RefusedFlow,
  reasonsToTell,
  worthWriting,
} from '../core/flows/refused.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { type Controller, done, runController } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import { type LiveWorld, liveWorld } from './live-world.ts';
import type { FirewallStores } from './stores.ts';

/** What the samples are made from, and where they are told. */
export type RefusalContext = FirewallStores & {
  readonly provider: Pick<Provider, 'noted'>;
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly now: () => Date;
};

/** Reason of the events. */
const REASON = 'FlowRefused';

/** How often a machine is looked at, in milliseconds, and how many are within a second in a large cluster. */
const EVERY_MS = 5_000;
const MOST_PER_SECOND = 5;

/** Looks at the same time. */
const WORKERS = 2;

/** What was told of one machine. */
interface Told {
  readonly reasons: readonly string[];
  /** When its status was written last. */
  readonly writtenAt: number;
}

const NOTHING: Told = { reasons: [], writtenAt: 0 };

/** Starts telling. The stores must be synced. Gives the way to stop. */
export const runRefusals = (context: RefusalContext): Pick<Controller, 'stop'> => {
  const { microVMs, log } = context;
  const world = liveWorld(context);
  const told = new Map<string, Told>();

  const controller = runController({
    name: 'refusals',
    workers: WORKERS,
    reconcile: async (name) => {
      const vm = microVMs.get(name);
      if (vm === undefined) {
        told.delete(name);
        return done;
      }
      told.set(name, await tell(vm, told.get(name) ?? NOTHING, world, context));
      return { again: Math.max(EVERY_MS, (microVMs.list().length * 1000) / MOST_PER_SECOND) };
    },
    log,
  });
  const unsubscribe = microVMs.onChange((name, _now, before) => {
    if (before === undefined) controller.enqueue(name, EVERY_MS);
  });
  for (const { metadata } of microVMs.list()) controller.enqueue(metadata.name);
  return {
    stop: async () => {
      unsubscribe();
      world.stop();
      await controller.stop();
    },
  };
};

/** Looks at a machine and tells what is new. @returns what is told by now */
const tell = async (vm: MicroVM, told: Told, world: LiveWorld, context: RefusalContext): Promise<Told> => {
  if (vm.metadata.deletionTimestamp !== undefined) return told;
  const flows = await refusedOf(vm, world, context);
  const before = vm.status?.refused ?? [];
  const latest = flows.slice(0, KEPT_MOST);
  const now = context.now().getTime();
  const news = worthWriting(before, latest, now - told.writtenAt);
  if (news) await write(vm, latest, context);
  const next = reasonsToTell(told.reasons, flows);
  const regarding = { apiVersion: 'v1', kind: 'Pod', ...vm.spec.pod };
  for (const reason of next.tell)
    await context.events.event(regarding, 'Warning', REASON, `Refused: ${reason}`);
  return { reasons: next.told, writtenAt: news ? now : told.writtenAt };
};

/** While nobody can say what its rules are, there is no reason to give. */
const refusedOf = async (
  vm: MicroVM,
  { now, podAt }: LiveWorld,
  { provider }: RefusalContext,
): Promise<readonly RefusedFlow[]> => {
  const machine = machineOf(vm);
  const refused = await provider.noted(machine, 'refused');
  if (refused.length === 0) return [];
  const { firewall } = firewallOf(machine, now());
  return firewall === undefined ? [] : explainRefused(refused, firewall, podAt);
};

/** A machine that went in the meantime is told nothing of. */
const write = async (
  { metadata: { name } }: MicroVM,
  refused: readonly RefusedFlow[],
  { client, microVMs }: RefusalContext,
): Promise<void> => {
  const status = { refused: refused.length === 0 ? null : refused };
  const options = { type: 'merge', subresource: 'status' } as const;
  const written = await orNothing(client.patch(resource, { name }, { status }, options));
  if (written !== undefined) microVMs.assume(written);
};
