/** Why a pod that exists runs where it runs, or what it waits for. */
import type { RefusedFlow } from '../flows/refused.ts';
import { groupsOn } from '../groups/annotation.ts';
import type { LifeStatus } from '../machine/life.ts';
import { CAPACITY_ANNOTATION, PROFILE_LABEL, SCHEDULER } from '../names.ts';
import type { ObjectMeta, Pod } from '../pod.ts';
import { describeMatch, type Explanation, explain } from '../profile/explain.ts';
import { Matcher, matchPod } from '../profile/match.ts';
import { decide } from '../scheduling/decide.ts';
import { heldBack } from './gates.ts';
import { type Step, timeline } from './history.ts';
import type { Surroundings } from './plan.ts';

/** What can be said about a pod. */
export interface Why {
  readonly namespace: string;
  readonly name: string;
  /** Phase of the pod's status. */
  readonly phase: string;
  /** The profile that it runs under, or null. */
  readonly profile: string | null;
  readonly node: string | null;
  readonly size: string | null;
  /** One sentence: why it is where it is, or what it waits for. */
  readonly because: string;
  /** Its security groups; none means the cluster security group. */
  readonly securityGroups: readonly string[];
  /** What these lack for a node to join and to be looked after, one sentence each. */
  readonly groupLacks: readonly string[];
  /** The stages of its machine, in order. */
  readonly timeline: readonly Step[];
  /** Connections of the last minutes that its machine's filter refused, the latest first. */
  readonly refused: readonly RefusedFlow[];
  readonly profiles: readonly Explanation[];
}

/** The pod's machine, if there is one. */
export interface KnownMachine {
  readonly name: string;
  /** What it was made under; the pod's label can be changed since. */
  readonly profile: string;
  readonly status?: LifeStatus & { readonly refused?: readonly RefusedFlow[] };
}

type Dated = { readonly metadata: ObjectMeta };

const AGAIN = 'the decision is made once, when a pod is created; delete the pod to have it made again';

const created = ({ metadata }: Dated): string => metadata.creationTimestamp ?? '';

/** Why a pod is not ours, by what is true now and by when things were made. */
const notOurs = (pod: Pod, namespace: string, { profiles }: Surroundings): string => {
  const match = matchPod(new Matcher(profiles), asCreated(pod), namespace);
  const left = `it is left to ${pod.spec.schedulerName || 'its scheduler'}`;
  if (match.kind !== 'matched') return `${describeMatch(match, pod)}; ${left}`;
  const { name } = match.profile.metadata;
  const late = created(match.profile as Dated) > created(pod);
  return late
    ? `Fargate profile ${name} matches, but it was created at ${created(match.profile as Dated)}, after the pod (${created(pod)}): ${AGAIN}`
    : `Fargate profile ${name} matches now, but nothing matched when the pod was created, or admission did not answer: ${AGAIN}`;
};

/** What a pod of ours waits for that has no machine. */
const unplaced = (pod: Pod, namespace: string, near: Surroundings): string => {
  const held = heldBack(pod);
  if (held !== undefined) return held;
  if (pod.spec.nodeName) return `it is on node ${pod.spec.nodeName}, whose machine is gone`;
  const { profiles, claims, ...rest } = near;
  const verdict = decide({ ...rest, pod, profiles: new Matcher(profiles), claims: claims(namespace) });
  if (verdict.runs) return 'nothing stands in its way; the scheduler is about to place it';
  return [verdict.message, verdict.because].filter((text) => text !== undefined).join('; ');
};

/** Reasons with which a kubelet tells of a container that waits for nothing but its turn. */
const ORDINARY: ReadonlySet<string | undefined> = new Set([
  undefined,
  'ContainerCreating',
  'PodInitializing',
]);

/** Containers that the kubelet cannot start, in its words. */
const stuck = ({ status }: Pod): readonly string[] =>
  [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap(
    ({ name, state }) => {
      const { reason, message } = state?.waiting ?? {};
      if (ORDINARY.has(reason)) return [];
      return [`container ${name}: ${[reason, message].filter((text) => text).join(': ')}`];
    },
  );

const ofMachine = (pod: Pod, steps: readonly Step[]): string => {
  const held = stuck(pod);
  if (held.length > 0) return `its machine runs, and not all of its containers do: ${held.join('; ')}`;
  const waits = steps.find((step) => step.waits !== undefined);
  if (waits !== undefined) return `its machine is at ${waits.stage} and waits: ${waits.waits}`;
  if ((pod.status?.phase ?? 'Pending') !== 'Pending') return 'it runs on a machine of its own';
  // The stages of a start that goes well are told together, when the pod runs (docs/adr/0003).
  if (steps.length === 0) return 'its machine is starting';
  return `its machine has reached ${steps.at(-1)?.stage} and goes on`;
};

const becauseOf = (
  pod: Pod,
  namespace: string,
  machine: KnownMachine | undefined,
  near: Surroundings,
): string => {
  const { status, metadata } = pod;
  if (pod.spec.schedulerName !== SCHEDULER) return notOurs(pod, namespace, near);
  if (status?.phase === 'Failed')
    return `it has failed: ${status.message ?? status.reason ?? 'a container ended badly'}`;
  if (status?.phase === 'Succeeded') return 'it has ended well; its machine stays until the pod is deleted';
  if (metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  return machine === undefined ? unplaced(pod, namespace, near) : ofMachine(pod, timeline(machine.status));
};

/**
 * Explains a pod as the API server stores it.
 * @param near the cluster as it is now; profiles with their creation times
 */
export const why = (pod: Pod, machine: KnownMachine | undefined, near: Surroundings): Why => {
  const { namespace = 'default', name = '', annotations = {}, labels = {} } = pod.metadata;
  const ours = pod.spec.schedulerName === SCHEDULER;
  const groups = groupsOn(pod);
  const judged = ours && groups.every(near.groupExists ?? (() => true));
  return {
    namespace,
    name,
    phase: pod.status?.phase ?? 'Pending',
    profile: ours ? (machine?.profile ?? labels[PROFILE_LABEL] ?? null) : null,
    node: pod.spec.nodeName || null,
    size: annotations[CAPACITY_ANNOTATION] ?? null,
    because: becauseOf(pod, namespace, machine, near),
    securityGroups: groups,
    groupLacks: judged ? (near.groups?.lacks(groups) ?? []) : [],
    timeline: timeline(machine?.status),
    refused: machine?.status?.refused ?? [],
    profiles: explain(near.profiles, asCreated(pod), namespace),
  };
};

/** The pod without what came after its creation: the label that would pick its profile, and its node. */
const asCreated = (pod: Pod): Pod => {
  const { nodeName: _, ...spec } = pod.spec;
  const { [PROFILE_LABEL]: label, ...labels } = pod.metadata.labels ?? {};
  return spec.schedulerName === SCHEDULER && label !== undefined
    ? { ...pod, spec, metadata: { ...pod.metadata, labels } }
    : { ...pod, spec };
};
