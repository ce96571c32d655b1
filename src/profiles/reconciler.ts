/**
 * Brings profiles from state to state: ACTIVE when their selectors are live, and gone when their pods are
 * (spec/fargate.md §1.6). Both doors come here, the EKS API and kubectl.
 */
import type { Logger } from 'pino';
import { UnreadableMappingError } from '../api/aws-auth.ts';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import { type ConfigMap, fargateProfiles, type Pod, pods as podKind } from '../api/resources.ts';
import { type Verdict, withCondition } from '../core/conditions.ts';
import { isAnnounced, type ProfileStatus } from '../core/eks/create.ts';
import { PROFILE_FINALIZER, PROFILE_LABEL, SCHEDULER } from '../core/names.ts';
import { lagOf } from '../core/profile/live.ts';
import { nextStep, type Problem, type Step } from '../core/profile/progress.ts';
import { isConflict, isRefusal, type KubeClient, orNothing } from '../kube/client.ts';
import { type Controller, done, type Outcome, runController } from '../kube/controller.ts';
import { versionOf } from '../kube/object.ts';
import type { Store } from '../kube/store.ts';
import { ensureRoleMapping } from './aws-auth.ts';
import type { Replicas } from './replicas.ts';

/** The ports of the reconciler. */
export interface ProfilesContext {
  readonly client: KubeClient;
  readonly profiles: Store<FargateProfile>;
  /** The replicas of admission, which a profile is live in before it is ACTIVE. */
  readonly replicas: Replicas;
  /** Pods of our scheduler. */
  readonly pods: Store<Pod>;
  readonly microVMs: Pick<Store<MicroVM>, 'list'>;
  /** Holds the mapping of pod execution roles, which they are written to; without it, none is. */
  readonly authConfig?: Store<ConfigMap>;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How often pods that are leaving are looked at, besides when they change. */
const AGAIN_MS = 5_000;

const WORKERS = 4;

/** Starts the reconciler. The stores must be synced. */
export const runProfiles = (context: ProfilesContext): Pick<Controller, 'stop'> => {
  const controller = runController({
    name: 'profiles',
    workers: WORKERS,
    reconcile: (name) => reconcile(name, context),
    log: context.log,
  });
  const enqueueAll = (): void => {
    for (const { metadata } of context.profiles.list()) controller.enqueue(metadata.name);
  };
  const enqueueProfileOf = ({ metadata }: Pod): void => {
    const name = metadata.labels?.[PROFILE_LABEL] ?? '';
    const profile = context.profiles.get(name);
    if (profile !== undefined && isLeaving(profile)) controller.enqueue(name);
  };
  const enqueueWaiting = (): void => {
    for (const profile of context.profiles.list())
      if (!isLeaving(profile) && !isAnnounced(profile)) controller.enqueue(profile.metadata.name);
  };
  const unsubscribe = [
    context.profiles.onChange((name) => controller.enqueue(name)),
    context.replicas.onChange(enqueueWaiting),
    ...(context.authConfig === undefined ? [] : [context.authConfig.onChange(enqueueWaiting)]),
    context.pods.onChange((_key, now, before) => {
      const pod = now ?? before;
      if (pod !== undefined) enqueueProfileOf(pod);
    }),
  ];
  enqueueAll();
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await controller.stop();
    },
  };
};

/** A profile that is being deleted: its pods go before it. */
const isLeaving = ({ metadata }: FargateProfile): boolean => metadata.deletionTimestamp !== undefined;

/** The condition that tells whether the selectors are live in every replica of admission. */
const LIVE = 'Live';

/** Since when a profile waits for replicas of admission, milliseconds since 1970. */
const waitingSince = ({ metadata, status }: FargateProfile): number => {
  const live = status?.conditions?.find(({ type }) => type === LIVE);
  const since = live?.status === 'False' ? live.lastTransitionTime : metadata.creationTimestamp;
  return Date.parse(String(since));
};

/**
 * Pods that run under a profile: by their label, as the API server has them now, since a watch may not have brought
 * the newest; and by their machines, since whoever may patch a pod can take its label away.
 */
const podsOf = async (name: string, { client, pods, microVMs }: ProfilesContext): Promise<readonly Pod[]> => {
  const all = await client.list(podKind, { labelSelector: `${PROFILE_LABEL}=${name}` });
  const labelled = all.filter(({ spec }) => spec.schedulerName === SCHEDULER);
  const known = new Set(labelled.map(({ metadata }) => metadata.uid));
  const others = microVMs.list().flatMap(({ spec: { profile, pod } }): readonly Pod[] => {
    const found =
      profile === name && !known.has(pod.uid) ? pods.get(`${pod.namespace}/${pod.name}`) : undefined;
    return found?.metadata.uid === pod.uid ? [found] : [];
  });
  return [...labelled, ...others];
};

/**
 * A profile that was deleted before it was held leaves its pods behind. They are listed before it is asked whether
 * the profile is there again, so that none is of another one made under its name.
 */
const afterwards = async (name: string, context: ProfilesContext): Promise<Outcome> => {
  const left = await podsOf(name, context);
  const anew = await orNothing(context.client.get(fargateProfiles, { name }));
  if (anew !== undefined) return { again: AGAIN_MS }; // on its way here
  await deletePods(left, context);
  return done;
};

const reconcile = async (name: string, context: ProfilesContext): Promise<Outcome> => {
  const profile = context.profiles.get(name);
  if (profile === undefined) return afterwards(name, context);
  const { metadata, spec, status } = profile;
  const deleting = isLeaving(profile);
  const finalized = metadata.finalizers?.includes(PROFILE_FINALIZER) === true;
  const announced = isAnnounced(profile);
  const toAnnounce = finalized && !deleting && !announced;
  const own = deleting ? await podsOf(name, context) : [];
  const step = nextStep({
    deleting,
    finalized,
    told: status?.status,
    announced,
    lag: toAnnounce ? lagOf(await context.replicas.at(versionOf(profile))) : undefined,
    lagMs: context.now() - waitingSince(profile),
    // Once: what an administrator takes away afterwards is not given back (spec/fargate.md §1.8).
    roleProblem: toAnnounce ? await mapRole(spec.podExecutionRoleArn, context) : undefined,
    pods: own.length,
    deletingMs: deleting ? context.now() - Date.parse(String(metadata.deletionTimestamp)) : 0,
  });
  return act(step, profile, own, context);
};

/** Why the role could not be mapped; undefined when it was. Only what people have to mend is final. */
const mapRole = async (
  role: string | undefined,
  { client, authConfig }: ProfilesContext,
): Promise<Problem | undefined> => {
  if (role === undefined || authConfig === undefined) return undefined;
  try {
    const written = await ensureRoleMapping(client, role);
    if (written !== undefined) authConfig.assume(written); // a pod may be scheduled the moment this is ACTIVE
    return undefined;
  } catch (cause) {
    if (isRefusal(cause)) return { code: 'AccessDenied', message: cause.message };
    if (cause instanceof UnreadableMappingError) return { code: 'InternalFailure', message: cause.message };
    throw cause;
  }
};

const act = async (
  step: Step,
  profile: FargateProfile,
  own: readonly Pod[],
  context: ProfilesContext,
): Promise<Outcome> => {
  switch (step.kind) {
    case 'nothing':
      return done;
    case 'wait':
      return { again: step.againMs };
    case 'hold':
      await setFinalizers(profile, [...(profile.metadata.finalizers ?? []), PROFILE_FINALIZER], context);
      return done; // the change comes back as an event
    case 'tell':
      await tell(profile, step.status, step.problem, context);
      return done;
    case 'drain':
      if (step.tell !== undefined) await tell(profile, step.tell, step.problem, context);
      await deletePods(own, context);
      return { again: AGAIN_MS };
    case 'release': {
      const others = (profile.metadata.finalizers ?? []).filter((one) => one !== PROFILE_FINALIZER);
      await setFinalizers(profile, others, context);
      return done;
    }
  }
};

const setFinalizers = async (
  { metadata: { name, resourceVersion } }: FargateProfile,
  finalizers: readonly string[],
  { client, profiles }: ProfilesContext,
): Promise<void> => {
  const metadata = { resourceVersion, finalizers };
  const patched = client.patch(fargateProfiles, { name }, { metadata }, { type: 'merge' });
  const written = await orNothing(patched); // it may be gone in the meantime
  // Without finalizers a profile that was being deleted is gone, and its last version is not to be kept.
  if (written !== undefined && !isLeaving(written)) profiles.assume(written);
};

const tell = async (
  profile: FargateProfile,
  status: ProfileStatus,
  problem: Problem | undefined,
  { client, profiles, log, now }: ProfilesContext,
): Promise<void> => {
  const { name, resourceVersion } = profile.metadata;
  const issues = problem === undefined ? [] : [{ ...problem, resourceIds: [name] }];
  const isLive = status === 'ACTIVE';
  const before = profile.status?.conditions ?? [];
  const told = {
    status,
    health: { issues },
    ...(isLive ? announcement(profile) : {}),
    ...(isLeaving(profile)
      ? {}
      : { conditions: withCondition(before, liveVerdict(isLive, problem), new Date(now()).toISOString()) }),
  };
  const patch = { metadata: { resourceVersion }, status: told };
  const options = { type: 'merge', subresource: 'status' } as const;
  const written = await orNothing(client.patch(fargateProfiles, { name }, patch, options));
  if (written === undefined) return;
  profiles.assume(written);
  log.info({ profile: name, status, problem }, 'profile');
};

/** What ACTIVE is told of; null takes away what an earlier one was told of. */
const announcement = ({ spec }: FargateProfile) => ({
  selectors: spec.selectors,
  podExecutionRoleArn: spec.podExecutionRoleArn ?? null,
});

const liveVerdict = (isLive: boolean, problem: Problem | undefined): Verdict => ({
  type: LIVE,
  status: isLive ? 'True' : 'False',
  reason: isLive ? 'InEveryReplica' : (problem?.code ?? 'Waiting'),
  message: problem?.message ?? 'every replica of admission matches by these selectors',
});

/** Deletes pods, gracefully; those that are leaving already are left to it. */
const deletePods = async (own: readonly Pod[], { client, log }: ProfilesContext): Promise<void> => {
  for (const { metadata } of own) {
    if (metadata.deletionTimestamp !== undefined) continue;
    const { namespace = '', name = '', uid } = metadata;
    try {
      await orNothing(client.delete(podKind, { namespace, name }, { uid }));
      log.info({ pod: `${namespace}/${name}` }, 'pod deleted with its profile');
    } catch (cause) {
      if (!isConflict(cause)) throw cause; // made anew under the same name
    }
  }
};
