/**
 * The scheduler beside the default one. Decisions are made one after another and see each other's outcome;
 * writing the outcomes overlaps. A pod it cannot place keeps its reason and is tried again for ever, those that
 * came first before the others.
 *
 *   1. leave alone what is bound, leaving, or gated
 *   2. decide: profile, support, size, address (pure, in core/scheduling)
 *   3. write the outcome: a MicroVM for a pod that can run, a condition and an event for one that cannot
 *
 * Binding is not done here: a machine's first stages do it, as soon as its Node exists.
 */
import type { Logger } from 'pino';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Network } from '../api/network.ts';
import {
  type ConfigMap,
  microVMs,
  type Namespace,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import type { Subnet } from '../api/subnet.ts';
import type { Provider } from '../compute/provider.ts';
import { type Bucket, type Rate, take } from '../core/eks/bucket.ts';
import { LOGGING_CONFIG, loggingOutcome } from '../core/logging/outcome.ts';
import { machineFor, machineName, microVMOf } from '../core/machine/microvm.ts';
import { PROFILE_LABEL } from '../core/names.ts';
import { NETWORK } from '../core/net/network.ts';
import { looksAtOthers } from '../core/placement/neighbours.ts';
import type { Places } from '../core/placement/subnets.ts';
import type { Pod } from '../core/pod.ts';
import { latestMatcher } from '../core/profile/latest.ts';
import type { Matcher } from '../core/profile/match.ts';
import { decide, type Verdict } from '../core/scheduling/decide.ts';
import { oldestFirst } from '../core/scheduling/turn.ts';
import type { Policy } from '../core/validation/policy.ts';
import { isAlreadyExists, type KubeClient, orNothing } from '../kube/client.ts';
import { type Controller, type Outcome, runController } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Store } from '../kube/store.ts';
import { giveVolumes } from './claims.ts';
import { explain } from './explain.ts';
import { lookAround } from './neighbours.ts';
import { type Reservations, reservationsOf } from './reservations.ts';
import type { RolesSource } from './roles.ts';
import { runStanding } from './standing.ts';

/** The ports of the scheduler. */
export interface SchedulerContext {
  readonly client: KubeClient;
  readonly provider: Provider;
  readonly pods: Store<Pod>;
  readonly profiles: Store<FargateProfile>;
  readonly subnets: Store<Subnet>;
  readonly networks: Store<Network>;
  readonly securityGroups: Store<SecurityGroup>;
  readonly microVMs: Store<MicroVM>;
  readonly claims: Store<PersistentVolumeClaim>;
  readonly volumes: Store<PersistentVolume>;
  readonly classes: Store<StorageClass>;
  /** Holds the log router's configuration, if there is one. */
  readonly logging: Store<ConfigMap>;
  /** Pod execution roles; without it, they are not looked at. */
  readonly roles?: RolesSource;
  /** Among them that of the log router's configuration, if it exists. */
  readonly namespaces: Store<Namespace>;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly now: () => Date;
  readonly region: string;
  /** Where pods may run; the defaults where it is left out. */
  readonly places?: Places;
  /** vCPU of all pods together, in thousandths; without it, as much as the hosts have. */
  readonly quotaMilliCpu?: number;
  /** The account may launch nothing at all. */
  readonly accountBlocked?: boolean;
  /** Launches per second, and at once after a pause; without it, as many as there are pods. */
  readonly launchRate?: Rate;
  /** Hash that names the guest image for new machines. */
  readonly image: string;
}

/** The ports, and what the scheduler keeps at hand to decide quickly. */
interface Desk extends SchedulerContext {
  readonly matcher: () => Matcher<FargateProfile>;
  readonly reservations: Reservations;
  /** Takes one launch of the rate; milliseconds to wait for when there is none. */
  readonly launches: () => number | undefined;
}

/** A pod that waits is looked at again after this time even when nothing changed. */
const AGAIN_MS = 60_000;

/** Outcomes that are written at the same time. */
const WORKERS = 32;

/** Starts the scheduler. The stores must be synced. Gives the way to stop it. */
export const runScheduler = (context: SchedulerContext): Pick<Controller, 'stop'> => {
  const reservations = reservationsOf(context.microVMs);
  const desk: Desk = {
    ...context,
    reservations,
    matcher: latestMatcher(() => context.profiles.list()),
    launches: launchesAt(context.launchRate),
  };
  const controller = runController({
    name: 'scheduler',
    workers: WORKERS,
    reconcile: (key) => schedule(key, desk),
    log: context.log,
  });
  const standing = runStanding({
    ...context,
    places: context.places ?? {},
    occupancy: reservations.occupancy,
    onOccupancy: (changed) =>
      context.microVMs.onChange((_name, now, before) => {
        if (now === undefined || before === undefined) changed();
      }),
  });
  const unsubscribe = [...wakeUps(desk, controller), reservations.stop];
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await Promise.all([controller.stop(), standing.stop()]);
    },
  };
};

/** Looks at pods again as soon as something changed that they may wait for, and at all pending ones now. */
const wakeUps = (desk: Desk, { enqueue }: Pick<Controller, 'enqueue'>): readonly (() => void)[] => {
  const enqueuePending = (concerned: (pod: Pod) => boolean = () => true): void => {
    const pending = desk.pods.list().filter((pod) => isPending(pod) && concerned(pod));
    for (const pod of oldestFirst(pending)) enqueue(keyOf(pod));
  };
  const enqueueAll = (): void => enqueuePending();
  const topologyCounts = (): boolean => desk.profiles.list().some(({ spec }) => spec.policy?.topology);
  enqueueAll();
  return [
    desk.pods.onChange((key, now, before) => {
      if (now !== undefined && isPending(now)) enqueue(key);
      if (now === undefined && before !== undefined) desk.reservations.forget(machineOf(before));
    }),
    desk.profiles.onChange(enqueueAll),
    desk.subnets.onChange(ifMeant(enqueueAll)),
    desk.networks.onChange(ifMeant(enqueueAll)),
    desk.securityGroups.onChange((_name, _now, before) => {
      if (before === undefined) enqueueAll(); // a group that pods may wait for
    }),
    ...(desk.roles?.onChange(enqueueAll) ?? []),
    desk.claims.onChange(enqueueAll),
    desk.volumes.onChange(enqueueAll),
    desk.classes.onChange(enqueueAll),
    desk.microVMs.onChange((_name, now, before) => {
      // Room or an address is free; or a neighbour has come.
      if (now === undefined || now.status?.phase === 'Failed') enqueueAll();
      else if (before === undefined && topologyCounts()) enqueuePending(looksAtOthers);
    }),
  ];
};

type Versioned = { readonly metadata: { readonly generation?: number; readonly uid?: string } };

/** Calls when somebody changed what an object means, not when we told its status. */
const ifMeant =
  (call: () => void) =>
  (_name: string, now: Versioned | undefined, before: Versioned | undefined): void => {
    const same = now?.metadata.uid === before?.metadata.uid;
    if (!same || now?.metadata.generation !== before?.metadata.generation) call();
  };

/** Counts launches (spec/fargate.md §11.3). */
const launchesAt = (rate: Rate | undefined): (() => number | undefined) => {
  if (rate === undefined) return () => undefined;
  let bucket: Bucket | undefined;
  return () => {
    const taken = take(bucket, rate, performance.now());
    bucket = taken.bucket;
    return taken.waitMs;
  };
};

const keyOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;

const machineOf = ({ metadata }: Pod): string => machineName(metadata.uid ?? '');

const isPending = ({ metadata, spec, status }: Pod): boolean =>
  (spec.nodeName ?? '') === '' &&
  metadata.deletionTimestamp === undefined &&
  (spec.schedulingGates ?? []).length === 0 &&
  (status?.phase ?? 'Pending') === 'Pending';

/** A group that is being deleted takes no more machines. */
const isThere = (group: SecurityGroup | undefined): boolean =>
  group !== undefined && group.metadata.deletionTimestamp === undefined;

/** What the pod's profile allows. */
const policyOf = ({ metadata }: Pod, { matcher }: Desk): Policy =>
  matcher().get(metadata.labels?.[PROFILE_LABEL] ?? '')?.spec.policy ?? {};

const DONE: Outcome = { done: true };

const schedule = async (key: string, desk: Desk): Promise<Outcome> => {
  const capacity = await desk.provider.capacity();
  const known = desk.pods.get(key);
  const neighbourhood = known && (await lookAround(known, desk));
  const pod = desk.pods.get(key);
  if (pod === undefined || pod.metadata.uid !== known?.metadata.uid || !isPending(pod)) return DONE;
  if (desk.microVMs.get(machineOf(pod)) !== undefined) return DONE;
  // From here until the outcome is reserved nothing is awaited: no two pods are ever given one address.
  const verdict = decide({
    pod,
    profiles: desk.matcher(),
    subnets: desk.subnets.list(),
    occupancy: desk.reservations.occupancy,
    capacity,
    claims: {
      claim: (name) => desk.claims.get(`${pod.metadata.namespace}/${name}`),
      volume: (name) => desk.volumes.get(name),
    },
    neighbourhood: neighbourhood?.(),
    region: desk.region,
    network: desk.networks.get(NETWORK),
    roles: desk.roles?.now(),
    accountBlocked: desk.accountBlocked ?? false,
    groupExists: (name) => isThere(desk.securityGroups.get(name)),
    ...(desk.places === undefined ? {} : { places: desk.places }),
    ...(desk.quotaMilliCpu === undefined ? {} : { quotaMilliCpu: desk.quotaMilliCpu }),
  });
  if (verdict.runs) {
    const waitMs = desk.launches();
    if (waitMs !== undefined) return { again: waitMs };
    await createMachine(pod, verdict, desk);
    return DONE;
  }
  await explain(pod, verdict, desk);
  if (verdict.claimsOnly) await giveVolumes(pod, policyOf(pod, desk), desk);
  return { again: AGAIN_MS };
};

const createMachine = async (
  pod: Pod,
  { runs: _, ...decision }: Extract<Verdict, { runs: true }>,
  { client, microVMs: known, logging, namespaces, reservations, events, image, log }: Desk,
): Promise<void> => {
  const { namespace, name } = LOGGING_CONFIG;
  const routing = loggingOutcome({
    namespace: namespaces.get(namespace),
    config: logging.get(`${namespace}/${name}`),
  });
  const machine = machineFor(pod, { ...decision, image });
  const wanted = microVMOf(machine, routing.annotation);
  let made = true;
  await reservations.reserve(machine.name, machine, async () => {
    try {
      known.assume(await client.create(microVMs, wanted));
    } catch (cause) {
      if (!isAlreadyExists(cause)) throw cause;
      // Made by an earlier try whose answer got lost, or by an earlier run of this process.
      made = false;
      const found = await orNothing(client.get(microVMs, { name: machine.name }));
      if (found !== undefined) known.assume(found);
    }
  });
  if (!made) return;
  log.info({ pod: keyOf(pod), address: machine.placement.address, size: machine.size }, 'placed');
  const { type, reason, message } = routing.event;
  await events.event({ apiVersion: 'v1', kind: 'Pod', ...machine.pod }, type, reason, message);
};
