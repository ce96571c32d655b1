/**
 * The life of every machine. One pass looks at one machine, asks what its fate is, and goes through the
 * stages as far as they settle. Level-triggered: a pass depends on what is true, never on which event woke
 * it, so any process may be killed at any instruction and the next pass goes on.
 */

import { microVMs } from '../api/resources.ts';
import { ProviderError } from '../compute/provider.ts';
import { fateOf } from '../core/machine/fate.ts';
import { type Progress, type Stage, statusOf, worthWriting } from '../core/machine/life.ts';
import { machineName } from '../core/machine/microvm.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { MICROVM_ANNOTATION } from '../core/names.ts';
import { timedOut } from '../core/scheduling/timed-out.ts';
import { type Controller, type Outcome, runController } from '../kube/controller.ts';
import { bind } from './bind.ts';
import { bootWith } from './boot.ts';
import type { Context, StageOfLife, View } from './context.ts';
import { type Deliveries, deliveries } from './deliveries.ts';
import { join } from './join.ts';
import { launch } from './launch.ts';
import { look, lookAtPod, sightOf } from './look.ts';
import { removeNameless } from './orphans.ts';
import { deletePod, failPod, releasePod } from './pod-endings.ts';
import { gone, reclaim } from './reclaim.ts';
import { register } from './register.ts';
import { type Renewals, renewals } from './renew.ts';
import { runWith } from './run.ts';

/** The stages in order. `Placed` is the scheduler's, `Reclaimed` is the end. */
const stagesWith = (memory: Pick<Memory, 'seeds' | 'limits' | 'renewals'>): readonly StageOfLife[] => [
  register,
  launch,
  bind,
  bootWith(memory.seeds, memory.renewals),
  join,
  runWith(memory.limits),
];

/** Machines worked on at the same time; most of a pass is waiting for the API server. */
const WORKERS = 32;

/** How often a machine was taken away to be made again, and when it may be, on the clock of `performance.now()`. */
interface Restarts {
  readonly count: number;
  readonly notBefore: number;
}

/** What passes remember of machines by name. All of it may be lost. */
interface Memory {
  readonly reached: Map<string, Partial<Record<Stage, Date>>>;
  readonly written: Map<string, Date>;
  readonly restarts: Map<string, Restarts>;
  readonly seeds: Deliveries;
  readonly limits: Deliveries;
  readonly renewals: Renewals;
  /** Machines that have a MicroVM, or had one that was not reclaimed. */
  readonly named: Set<string>;
  /** UIDs of the MicroVMs that are gone, until the watch tells so, too: they are not deleted twice. */
  readonly reclaimed: Map<string, string | undefined>;
}

/** Starts the lifecycle. The stores must be synced. Gives the way to stop it. */
export const runLifecycle = (context: Context): Pick<Controller, 'stop'> => {
  const ended = (name: string): void => controller.enqueue(name);
  const memory: Memory = {
    reached: new Map(),
    written: new Map(),
    restarts: new Map(),
    seeds: deliveries(ended),
    limits: deliveries(ended),
    renewals: renewals(deliveries(ended)),
    named: new Set(),
    reclaimed: new Map(),
  };
  const controller = runController({
    name: 'lifecycle',
    workers: WORKERS,
    reconcile: (name) => pass(name, memory, context),
    log: context.log,
  });
  const { enqueue } = controller;
  const unsubscribe = [
    context.microVMs.onChange((name) => enqueue(name)),
    context.pods.onChange((_key, now, before) => {
      const uid = (now ?? before)?.metadata.uid;
      if (uid !== undefined) enqueue(machineName(uid));
    }),
    context.nodes.onChange((_key, now, before) => {
      const owner = (now ?? before)?.metadata.annotations?.[MICROVM_ANNOTATION];
      if (owner !== undefined) enqueue(owner);
    }),
    context.provider.watch((name) => enqueue(name)),
  ];
  for (const vm of context.microVMs.list()) enqueue(vm.metadata.name);
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await controller.stop();
    },
  };
};

const DONE: Outcome = { done: true };

const pass = async (name: string, memory: Memory, context: Context): Promise<Outcome> => {
  const view = await look(name, context);
  if (view === undefined) {
    if (memory.named.has(name)) await removeNameless(name, context);
    forget(name, memory);
    return DONE;
  }
  if (memory.reclaimed.get(name) !== view.vm.metadata.uid) memory.named.add(name);
  const fate = fateOf(sightOf(view, context.now()), context.joinLimitMs);
  switch (fate.next) {
    case 'advance':
      return advance(view, memory, context).catch((cause) => giveUp(cause, view, memory, context));
    case 'keep':
      return { again: memory.renewals.renew(view, context) };
    case 'rest':
      return DONE;
    case 'reclaim':
      if (memory.reclaimed.get(name) === view.vm.metadata.uid) return DONE;
      if (!(await isCertain(view, context))) return { again: 1_000 };
      return takeAway(view, memory, context);
    case 'delete-pod':
      await deletePod(view, fate.deleted, context);
      return { again: 1_000 };
    case 'release-pod':
      // Done already: what is left are finalizers of others, who may take as long as they like.
      if (view.pod?.metadata.deletionGracePeriodSeconds === 0) return DONE;
      await releasePod(view, context);
      return { again: 1_000 };
    case 'fail-pod':
      return fail(view, fate.reason, memory, context);
    case 'restart':
      return restart(view, fate.reason, memory, context);
    default:
      return fate satisfies never;
  }
};

/** The stores say that the machine has to go; before anything is destroyed the API server has to say so too. */
const isCertain = async (view: View, context: Context): Promise<boolean> => {
  const sight = sightOf({ ...view, pod: await lookAtPod(view.machine, context) }, context.now());
  return fateOf(sight, context.joinLimitMs).next === 'reclaim';
};

const advance = async (view: View, memory: Memory, context: Context): Promise<Outcome> => {
  const waitMs = (memory.restarts.get(view.machine.name)?.notBefore ?? 0) - performance.now();
  // The host tells at once that the machine is gone, and so wakes this pass long before.
  if (waitMs > 0 && view.seen.state === 'absent') return { again: waitMs };
  const reached = timesOf(view, memory);
  for (const { stage, advance: go } of stagesWith(memory)) {
    const step = await go(view, context);
    if (!step.settled) {
      await report(view, { reached, waiting: { stage, ...step } }, memory, context);
      return { again: step.againMs };
    }
    reached[stage] ??= context.now();
  }
  await report(view, { reached }, memory, context);
  return { again: memory.renewals.renew(view, context) };
};

const takeAway = async (view: View, memory: Memory, context: Context): Promise<Outcome> => {
  const { name } = view.machine;
  await reclaim(view, context);
  forget(name, memory); // a pod that is placed anew gets a machine of the same name
  memory.reclaimed.set(name, view.vm.metadata.uid);
  return DONE;
};

const fail = async (view: View, reason: string, memory: Memory, context: Context): Promise<Outcome> => {
  await report(view, { reached: timesOf(view, memory), failure: reason }, memory, context);
  await failPod(view, reason, context);
  return DONE;
};

/**
 * A machine that was not started before another guest image came never will be: its pod is placed anew, or fails when
 * it is bound already.
 * @throws what it was given, for all else
 */
const giveUp = async (cause: unknown, view: View, memory: Memory, context: Context): Promise<Outcome> => {
  const hopeless = cause instanceof ProviderError && cause.kind === 'bad-image';
  // A Node that was made in this very pass is seen by the next one.
  if (!hopeless || view.node === undefined) throw cause;
  return view.pod?.spec.nodeName
    ? fail(view, cause.message, memory, context)
    : takeAway(view, memory, context);
};

/** Takes the dead or stalled machine away; the next pass makes it again, under the same Node and address. */
const restart = async (view: View, reason: string, memory: Memory, context: Context): Promise<Outcome> => {
  context.log.warn({ machine: view.machine.name, reason }, 'machine is started again');
  await context.provider.remove(view.machine.name);
  memory.reached.delete(view.machine.name);
  memory.seeds.forget(view.machine.name);
  const count = (memory.restarts.get(view.machine.name)?.count ?? 0) + 1;
  const waitMs = Math.min(1_000 * 2 ** (count - 1), 60_000);
  memory.restarts.set(view.machine.name, { count, notBefore: performance.now() + waitMs });
  await context.events.event(
    { apiVersion: 'v1', kind: 'Pod', ...view.machine.pod },
    'Warning',
    'FailedScheduling',
    timedOut(view.machine.pod),
  );
  return { again: waitMs };
};

/** The known times of a machine's stages: stored ones first, then this process's own. */
const timesOf = ({ vm, machine }: View, memory: Memory): Partial<Record<Stage, Date>> => {
  const known = memory.reached.get(machine.name) ?? {};
  known.Placed ??= new Date(vm.metadata.creationTimestamp ?? 0);
  for (const [stage, time] of Object.entries(vm.status?.stages ?? {})) known[stage as Stage] = new Date(time);
  memory.reached.set(machine.name, known);
  return known;
};

const report = async (view: View, progress: Progress, memory: Memory, context: Context): Promise<void> => {
  const { vm, machine } = view;
  const now = context.now();
  const before = context.microVMs.get(machine.name)?.status;
  const status = statusOf(before, progress, now);
  const last = memory.written.get(machine.name) ?? new Date(vm.metadata.creationTimestamp ?? 0);
  if (!worthWriting(before, status, now.getTime() - last.getTime())) return;
  const written = context.client.patch(
    microVMs,
    { name: machine.name },
    { status },
    { type: 'merge', subresource: 'status' },
  );
  await gone(written.then((updated) => context.microVMs.assume(updated)));
  memory.written.set(machine.name, now);
  context.log.info({ machine: machine.name, node: nodeNameOf(machine), phase: status.phase }, 'machine');
};

const forget = (name: string, memory: Memory): void => {
  memory.reached.delete(name);
  memory.written.delete(name);
  memory.restarts.delete(name);
  memory.named.delete(name);
  memory.reclaimed.delete(name);
  memory.seeds.forget(name);
  memory.limits.forget(name);
  memory.renewals.forget(name);
};
