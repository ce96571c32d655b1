/**
 * Shows the connections of pods to those who follow them. Each FlowWatch is a look at a machine's namespace once
 * a second, told in its status; it is removed when its pod has no machine, or nobody has renewed it.
 */
import type { Logger } from 'pino';
import type { FlowWatch } from '../api/flow-watch.ts';
import { machineOf } from '../api/micro-vm.ts';
import { flowWatches as resource } from '../api/resources.ts';
import type { Provider } from '../compute/provider.ts';
import { firewallOf } from '../core/firewall/compile.ts';
import { follow, type Seen, type ShownFlow } from '../core/flows/follow.ts';
import type { Machine } from '../core/machine/machine.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { type Controller, done, runController } from '../kube/controller.ts';
import type { Store } from '../kube/store.ts';
import { type LiveWorld, liveWorld } from './live-world.ts';
import type { FirewallStores } from './stores.ts';

/** What followers are shown, and from where. */
export type FollowerContext = FirewallStores & {
  readonly flowWatches: Store<FlowWatch>;
  readonly provider: Pick<Provider, 'noted'>;
  readonly client: KubeClient;
  readonly log: Logger;
  readonly now: () => Date;
};

/** How often a machine is looked at, in milliseconds, and how many looks there are in a second at most. */
const EVERY_MS = 1_000;
const MOST_PER_SECOND = 5;

/** How long a FlowWatch lives that nobody renews, in milliseconds by this process's clock: others may be wrong. */
const LIVES_MS = 60_000;

/** What is remembered of one FlowWatch. */
interface Memory {
  readonly renewTime: string;
  /** When this process saw it renewed last. */
  readonly renewedAt: number;
  readonly seen?: Seen;
}

/** Starts showing. The stores of the firewalls must be synced. Gives the way to stop. */
export const runFollowers = (context: FollowerContext): Pick<Controller, 'stop'> => {
  const { flowWatches, log } = context;
  const world = liveWorld(context);
  const memories = new Map<string, Memory>();

  const controller = runController({
    name: 'followers',
    workers: 1,
    reconcile: async (key) => {
      const watch = flowWatches.get(key);
      const before = memories.get(key);
      memories.delete(key);
      if (watch === undefined) return done;
      const now = context.now().getTime();
      const memory = renewed(watch, before, now);
      const machine = machineOfPod(watch, context);
      if (machine === undefined || now - memory.renewedAt >= LIVES_MS) {
        await orNothing(context.client.delete(resource, keyOf(watch)));
        return done;
      }
      // Before anything can fail: what cannot be shown ends, too.
      memories.set(key, memory);
      const seen = await show(watch, machine, memory.seen, world, context);
      memories.set(key, { ...memory, ...(seen && { seen }) });
      return { again: Math.max(EVERY_MS, (memories.size * 1000) / MOST_PER_SECOND) };
    },
    log,
  });
  const unsubscribe = flowWatches.onChange((key, _now, before) => {
    if (before === undefined) controller.enqueue(key);
  });
  for (const { metadata } of flowWatches.list()) controller.enqueue(`${metadata.namespace}/${metadata.name}`);
  return {
    stop: async () => {
      unsubscribe();
      world.stop();
      await controller.stop();
    },
  };
};

/** What is remembered once it is known whether it was renewed. */
const renewed = ({ spec: { renewTime } }: FlowWatch, before: Memory | undefined, now: number): Memory =>
  before?.renewTime === renewTime ? before : { ...before, renewTime, renewedAt: now };

const machineOfPod = ({ metadata, spec }: FlowWatch, { microVMs }: FollowerContext): Machine | undefined => {
  const vm = microVMs
    .list()
    .find(
      (one) =>
        one.metadata.deletionTimestamp === undefined &&
        one.spec.pod.namespace === metadata.namespace &&
        one.spec.pod.name === spec.pod,
    );
  return vm && machineOf(vm);
};

/** While nobody can say what the machine's rules are, nothing is shown. */
const show = async (
  watch: FlowWatch,
  machine: Machine,
  seen: Seen | undefined,
  { now, podAt }: LiveWorld,
  { provider, ...context }: FollowerContext,
): Promise<Seen | undefined> => {
  const { firewall } = firewallOf(machine, now());
  if (firewall === undefined) return seen;
  const look = {
    accepted: await provider.noted(machine, 'accepted'),
    refused: await provider.noted(machine, 'refused'),
  };
  const before = watch.status?.flows;
  const { shown, memory } = follow(before, seen, look, { firewall, podAt });
  if (shown !== before) await write(watch, shown, context);
  return memory;
};

const write = async (
  watch: FlowWatch,
  flows: readonly ShownFlow[],
  { client, flowWatches }: Pick<FollowerContext, 'client' | 'flowWatches'>,
): Promise<void> => {
  const options = { type: 'merge', subresource: 'status' } as const;
  const written = await orNothing(client.patch(resource, keyOf(watch), { status: { flows } }, options));
  if (written !== undefined) flowWatches.assume(written);
};

const keyOf = ({ metadata: { namespace = '', name = '' } }: FlowWatch) => ({ namespace, name });
