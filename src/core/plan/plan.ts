/**
 * What would become of the pods of a manifest: the same decisions that admission and the scheduler make, with
 * their reasons, and what could be changed. Nothing here decides anything of its own.
 */
import { type AdmissionProfile, admit } from '../admission/mutate.ts';
import { groupsOn, groupsPatch } from '../groups/annotation.ts';
import {
  type GroupPolicy,
  groupsFrom,
  isFargatePod,
  matchingPolicies,
  tooManyGroups,
} from '../groups/policies.ts';
import { applyPatch, type PatchOperation } from '../json-patch.ts';
import type { Labels } from '../labels.ts';
import { NODE_MEMORY_MIB, type Size } from '../machine/machine.ts';
import { GROUPS_WEBHOOK, SCHEDULER } from '../names.ts';
import { nodeOfMachine } from '../placement/neighbours.ts';
import type { Occupancy, Room } from '../placement/occupancy.ts';
import { type Places, type SubnetLike, subnetsFor, usableAddresses } from '../placement/subnets.ts';
import type { Neighbour, Neighbourhood } from '../placement/topology.ts';
import type { Container, Pod, Volume } from '../pod.ts';
import { describeMatch, type Explanation, explain } from '../profile/explain.ts';
import { Matcher, matchPod } from '../profile/match.ts';
import { decide, type SchedulingProfile, type Situation, type Verdict } from '../scheduling/decide.ts';
import { type Requests, requestsOf } from '../sizing/requests.ts';
import { capacityProvisioned, type Sizing, sizeFor } from '../sizing/size.ts';
import { refusal, violationsOf } from '../validation/validate.ts';
import type { Claims } from '../validation/volumes.ts';
import { type Edit, editsFor } from './edits.ts';
import { heldBack } from './gates.ts';
import { portCollisions } from './ports.ts';
import { selectionEdits } from './selection-edits.ts';
import { type Workload, workloadOf } from './workload.ts';

/** What is known of the cluster that the pods would come to. */
export interface Surroundings {
  readonly profiles: readonly (SchedulingProfile & AdmissionProfile)[];
  readonly subnets: readonly SubnetLike[];
  /** Machines that exist; planned ones are added as the plan goes on. */
  readonly occupancy: Occupancy;
  readonly capacity: Room;
  readonly claims: (namespace: string) => Claims;
  /** Pods that have a node, where a profile honours topology; planned ones are added as the plan goes on. */
  readonly neighbourhood?: { readonly pods: Neighbour[] } & Neighbourhood;
  readonly region: string;
  /** Where pods may run. */
  readonly places: Places;
  readonly network?: Situation['network'];
  readonly groupExists?: Situation['groupExists'];
  readonly roles?: Situation['roles'];
  readonly quotaMilliCpu?: number;
  readonly accountBlocked?: boolean;
  /** Where pods get their security groups from; without it, only their annotation tells. */
  readonly groups?: GroupKnowledge;
}

/** What is known of security groups. */
export interface GroupKnowledge {
  readonly policies: (namespace: string) => readonly GroupPolicy[];
  /** Labels of a service account; none where nobody knows. */
  readonly account: (namespace: string, name: string) => Labels;
  /** What groups lack for a node to join, one sentence each. */
  readonly lacks: (groups: readonly string[]) => readonly string[];
}

/** Free addresses of a subnet that the pod could be placed in. */
export interface SubnetRoom {
  readonly name: string;
  readonly zone: string;
  readonly free: number;
  readonly usable: number;
}

/** What would become of the pods of one template. The first eight members are stable. */
export interface Plan {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The profile that the pod runs under, or null. */
  readonly profile: string | null;
  /** Whether all its pods would run on Fargate as things are now. */
  readonly runs: boolean;
  /** The text of the annotation `CapacityProvisioned`, or null when the pod fits no size. */
  readonly size: string | null;
  /** The scheduler's exact text, or null when it has nothing to say. */
  readonly message: string | null;
  /** The smallest edit of the object with which Fargate would take the pod, or null. */
  readonly fix: readonly PatchOperation[] | null;
  readonly replicas: number;
  /** One sentence on the choice of the profile. */
  readonly matching: string;
  readonly profiles: readonly Explanation[];
  readonly requests: Omit<Requests, 'unsupported'> | null;
  readonly provisioned: Size | null;
  /** What is provisioned and paid for beyond requests and the node's own part. */
  readonly waste: Room | null;
  /** What stands in the way, each with its own edit; pointers start at the object. */
  readonly edits: readonly Edit[];
  readonly subnets: readonly SubnetRoom[];
  /** Names of the SecurityGroupPolicies that match. */
  readonly groupPolicies: readonly string[];
  /** Security groups that they give; none means the cluster security group. */
  readonly securityGroups: readonly string[];
  /** What these groups lack for the node to join: API server, DNS, registry, kubelet. One sentence each. */
  readonly groupLacks: readonly string[];
  readonly notes: readonly string[];
  /** For a DaemonSet: its containers and volumes as they could stand in other pods. */
  readonly sidecars: {
    readonly initContainers: readonly Container[];
    readonly volumes: readonly Volume[];
  } | null;
}

type Profiles = Matcher<Surroundings['profiles'][number]>;

/** A pod of the workload as the API server stores it, or the text with which it is refused, and by what. */
type Admitted = { readonly pod: Pod } | { readonly refused: string; readonly by: 'profile' | 'groups' };

const admitted = (profiles: Profiles, { pod, namespace }: Workload, near: Surroundings): Admitted => {
  const admission = admit(profiles, pod, namespace);
  if (admission.kind === 'refused') return { refused: admission.message, by: 'profile' };
  const marked = admission.kind === 'mutated' ? applyPatch(pod, admission.patch) : pod;
  if (near.groups === undefined || !isFargatePod(marked)) return { pod: marked };
  const groups = groupsFrom(policiesFor(marked, namespace, near.groups));
  const problem = tooManyGroups(groups);
  return problem === undefined
    ? { pod: applyPatch(marked, groupsPatch(marked, groups)) }
    : { refused: problem, by: 'groups' };
};

const policiesFor = (pod: Pod, namespace: string, { policies, account }: GroupKnowledge) =>
  matchingPolicies(pod, account(namespace, pod.spec.serviceAccountName || 'default'), policies(namespace));

/** Policies and groups of a pod as it would be stored, and what the groups lack. */
const groupsPart = (
  matcher: Profiles,
  workload: Workload,
  near: Surroundings,
): Pick<Plan, 'groupPolicies' | 'securityGroups' | 'groupLacks'> => {
  const admission = admitted(matcher, workload, near);
  const pod = 'pod' in admission ? admission.pod : workload.pod;
  const securityGroups = groupsOn(pod);
  const { groups: known, groupExists = () => true } = near;
  const ours = known !== undefined && isFargatePod(pod);
  const matching = ours ? policiesFor(pod, workload.namespace, known) : [];
  return {
    groupPolicies: matching.map(({ metadata }) => metadata.name ?? ''),
    securityGroups,
    groupLacks: ours && securityGroups.every(groupExists) ? known.lacks(securityGroups) : [],
  };
};

/** Decides about every replica, one after another, each seeing the machines of those before. */
const place = (
  pod: Pod,
  { kind, name, namespace, replicas }: Workload,
  situation: Omit<Situation, 'pod'>,
  neighbours: Neighbour[] | undefined,
) => {
  let placed = 0;
  for (;;) {
    const uid = `planned/${kind}/${namespace}/${name}/${placed}`;
    const one = { ...pod, metadata: { ...pod.metadata, uid } };
    const verdict: Verdict = decide({ ...situation, pod: one });
    if (!verdict.runs) return { verdict, placed };
    const machine = { ...verdict, dead: false };
    situation.occupancy.set(uid, machine);
    neighbours?.push({ pod: one, node: nodeOfMachine(machine) });
    placed += 1;
    if (placed >= Math.min(replicas, MOST_REPLICAS)) return { verdict, placed };
  }
};

/** Replicas that are placed one by one; more would only take longer to say the same. */
const MOST_REPLICAS = 10_000;

const DAEMON_SET = 'DaemonSet pods are not placed on Fargate; give the containers to the pods as sidecars';

/** Edits of the pod as edits of the object around it. */
const within = (at: string, edits: readonly Edit[]): readonly Edit[] =>
  edits.map((edit) => ({ ...edit, patch: edit.patch.map((op) => ({ ...op, path: at + op.path })) }));

const tooLargeText = (sizing: Sizing): string | undefined =>
  'tooLarge' in sizing ? sizing.tooLarge.message : undefined;

/** What is known of claims, with those that the workload's own controller is going to make. */
const claimsFor = ({ namespace, claims: own }: Workload, near: Surroundings): Claims => {
  const known = near.claims(namespace);
  return {
    claim: (name) => known.claim(name) ?? (own.includes(name) ? { metadata: { name } } : undefined),
    volume: (name) => known.volume(name),
  };
};

/** What lasts in the way of the pod, whatever happens in the cluster. */
const obstacles = (workload: Workload, profile: SchedulingProfile | undefined, near: Surroundings) => {
  const { pod, written } = workload;
  const policy = profile?.spec.policy ?? {};
  const violations = violationsOf(pod, policy, claimsFor(workload, near));
  const sizing = sizeFor(requestsOf(pod));
  const selection = selectionEdits(written, {
    region: near.region,
    subnets: subnetsFor(profile?.spec.subnets, near.subnets, near.places),
    labels: policy.nodeLabels,
  });
  return within(workload.at, [...editsFor(written, violations, policy, tooLargeText(sizing)), ...selection]);
};

/** All edits together, if with them nothing of the pod itself stands in the way any more. */
const fixOf = (
  { object, namespace, kind }: Workload,
  edits: readonly Edit[],
  profile: SchedulingProfile | undefined,
  near: Surroundings,
): readonly PatchOperation[] | null => {
  const patch = edits.flatMap((edit) => edit.patch);
  if (patch.length === 0 || profile === undefined || kind === 'DaemonSet') return null;
  const fixed = workloadOf(applyPatch(object, patch), namespace);
  const left = fixed === undefined ? edits : obstacles(fixed, profile, near);
  return left.every(({ transient }) => transient) ? patch : null;
};

const wasteOf = (size: Size, requests: Requests): Room => ({
  milliCpu: size.milliCpu - requests.milliCpu,
  memoryMiB: size.memoryMiB - NODE_MEMORY_MIB - requests.memoryMiB,
});

const roomIn = (
  profile: SchedulingProfile | undefined,
  { subnets, occupancy, places }: Surroundings,
): readonly SubnetRoom[] =>
  profile === undefined
    ? []
    : subnetsFor(profile.spec.subnets, subnets, places).usable.map(({ name, zone, network }) => {
        const usable = usableAddresses(network);
        return { name, zone, usable, free: Math.max(0, usable - occupancy.inUse(name)) };
      });

const sidecarsOf = ({ object, namespace }: Workload, edits: readonly Edit[]): Plan['sidecars'] => {
  const edited = workloadOf(
    applyPatch(
      object,
      edits.flatMap(({ patch }) => patch),
    ),
    namespace,
  );
  const { containers = [], volumes = [] } = edited?.written.spec ?? {};
  return { initContainers: containers.map((one) => ({ ...one, restartPolicy: 'Always' })), volumes };
};

/** Whether the pods run, in whose words not, and what people should know besides. */
interface Outcome {
  readonly runs: boolean;
  readonly message: string | null;
  readonly notes: readonly string[];
}

const no = (message: string | null, ...notes: readonly string[]): Outcome => ({
  runs: false,
  message,
  notes,
});

const outcomeOf = (
  workload: Workload,
  matcher: Profiles,
  profile: SchedulingProfile | undefined,
  near: Surroundings,
): Outcome => {
  const { pod, kind } = workload;
  if (kind === 'DaemonSet') return no(refusal(pod, violationsOf(pod)) ?? null);
  const admission = admitted(matcher, workload, near);
  if ('refused' in admission) {
    const by = admission.by === 'profile' ? `profile ${profile?.metadata.name}` : `webhook ${GROUPS_WEBHOOK}`;
    return no(admission.refused, `${by} refuses it at creation`);
  }
  // A pod that no profile matches, or that opts out, is still ours when it names our scheduler itself.
  if (admission.pod.spec.schedulerName !== SCHEDULER) return no(null);
  const { profiles: _, claims: __, ...rest } = near;
  const situation = { ...rest, profiles: matcher, claims: claimsFor(workload, near) };
  const { verdict, placed } = place(admission.pod, workload, situation, near.neighbourhood?.pods);
  if (verdict.runs) return { runs: true, message: null, notes: [] };
  const some = `${placed} of ${workload.replicas} pods find room`;
  return no(verdict.message, ...(placed > 0 ? [some] : []), ...(verdict.because ? [verdict.because] : []));
};

/**
 * Plans one workload. The machines that it would get are added to the occupancy, so that what is planned next
 * sees them.
 * @throws QuantityError when a quantity is malformed
 */
export const plan = (workload: Workload, near: Surroundings): Plan => {
  const { kind, namespace, name, replicas, pod } = workload;
  const matcher: Profiles = new Matcher(near.profiles);
  const match = matchPod(matcher, pod, namespace);
  const profile = match.kind === 'matched' ? match.profile : undefined;
  const subnets = roomIn(profile, near);
  const edits = profile === undefined && kind !== 'DaemonSet' ? [] : obstacles(workload, profile, near);
  const outcome = outcomeOf(workload, matcher, profile, near);
  const held = heldBack(pod);
  const requests = requestsOf(pod);
  const sizing = sizeFor(requests);
  const size = 'ok' in sizing ? sizing.ok : null;
  const { unsupported: _, ...amounts } = requests;
  return {
    kind,
    namespace,
    name,
    profile: profile?.metadata.name ?? null,
    runs: outcome.runs,
    size: size && capacityProvisioned(size),
    message: outcome.message,
    fix: fixOf(workload, edits, profile, near),
    replicas,
    matching: kind === 'DaemonSet' ? DAEMON_SET : describeMatch(match, pod),
    profiles: explain(near.profiles, pod, namespace),
    requests: amounts,
    provisioned: size,
    waste: size && wasteOf(size, requests),
    edits,
    subnets,
    ...groupsPart(matcher, workload, near),
    notes: [...outcome.notes, ...(held === undefined ? [] : [held]), ...portCollisions(pod)],
    sidecars: kind === 'DaemonSet' ? sidecarsOf(workload, edits) : null,
  };
};
