/**
 * Which profile a pod runs under, decided once, when the pod is admitted (spec/fargate.md §1.5).
 *
 * A thousand profiles must cost microseconds, so selectors are filed under one *pivot*: a label that the pod
 * must have, by its key and then by its value. What namespaces and keys lead to is remembered; values, of
 * which every pod may have another, are looked up.
 */
import {
  COMPUTE_TYPE,
  COMPUTE_TYPE_EC2,
  DEFAULT_SCHEDULER,
  PROFILE_LABEL,
  SCHEDULER,
  SYSTEM_NAMESPACE,
} from '../names.ts';
import type { Pod } from '../pod.ts';
import { Patterns } from './patterns.ts';
import { compile, isPattern, type Test } from './wildcard.ts';

/** What matching reads of a selector. */
export interface Selector {
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What matching reads of a FargateProfile. */
export interface Profile {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly selectors: readonly Selector[] };
}

type Labels = Readonly<Record<string, string>>;

/** Why a pod that some profile could match is left to its own scheduler. */
export type LeftAlone =
  /** It lives in the product's own namespace. */
  | 'system-namespace'
  /** Annotation `eks.amazonaws.com/compute-type: ec2`. */
  | 'opted-out'
  /** A DaemonSet owns it. */
  | 'daemon-set'
  /** It names a scheduler that is neither the default one nor ours. */
  | 'foreign-scheduler'
  /** It names its node. */
  | 'node-named';

/** The outcome of matching. */
export type Match<P extends Profile = Profile> =
  | { readonly kind: 'matched'; readonly profile: P }
  | { readonly kind: 'left-alone'; readonly because: LeftAlone }
  /** The pod's own profile label names a profile that does not exist or does not match. */
  | { readonly kind: 'label-mismatch'; readonly named: string; readonly exists: boolean }
  | { readonly kind: 'no-profile' };

interface LabelTest {
  readonly key: string;
  readonly value: Test;
  /** Present when the key itself has wildcards. */
  readonly keyTest?: Test;
}

interface Entry {
  /** Position of the profile in alphanumeric order. */
  readonly rank: number;
  readonly namespace: Test;
  /** All labels but the pivot. */
  readonly rest: readonly LabelTest[];
  readonly pivot?: Pair;
}

const label = (key: string, value: string): LabelTest =>
  isPattern(key) ? { key, value: compile(value), keyTest: compile(key) } : { key, value: compile(value) };

const has = (labels: Labels, test: LabelTest): boolean => {
  if (test.keyTest === undefined) {
    return Object.hasOwn(labels, test.key) && test.value(labels[test.key] ?? '');
  }
  for (const key in labels) if (test.keyTest(key) && test.value(labels[key] ?? '')) return true;
  return false;
};

type Pair = readonly [key: string, value: string];

const join = ([key, value]: Pair): string => `${key}=${value}`;

const pairsOf = (selector: Selector): readonly Pair[] => Object.entries(selector.labels ?? {});

/** How often each label stands in selectors: the rarer one is, the more it tells. */
const countLabels = (profiles: readonly Profile[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const profile of profiles)
    for (const selector of profile.spec.selectors)
      for (const pair of pairsOf(selector)) counts.set(join(pair), (counts.get(join(pair)) ?? 0) + 1);
  return counts;
};

/** Costly forms count as if they were common: a wildcard in the key more than one in the value. */
const weight = (pair: Pair, counts: ReadonlyMap<string, number>): number =>
  (counts.get(join(pair)) ?? 0) * (isPattern(pair[0]) ? 100 : isPattern(pair[1]) ? 10 : 1);

const entryOf = (rank: number, selector: Selector, counts: ReadonlyMap<string, number>): Entry => {
  const namespace = compile(selector.namespace);
  const pairs = [...pairsOf(selector)].sort((a, b) => weight(a, counts) - weight(b, counts));
  const [pivot, ...others] = pairs;
  const rest = others.map(([key, value]) => label(key, value));
  return pivot === undefined ? { rank, namespace, rest } : { rank, namespace, rest, pivot };
};

/** Entries in all remembered answers; beyond this many all are forgotten, to bound memory. */
const REMEMBERED = 1_000_000;

const byName = (a: Profile, b: Profile): number =>
  a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;

/** Entries whose pivots have the same key, and a number that names the group within its room. */
interface Group {
  readonly id: number;
  readonly entries: readonly Entry[];
}

/** The entries of one namespace, by their pivot. */
interface Room {
  /** Rank of the first profile that matches the namespace by a selector without labels. */
  readonly floor: number;
  readonly groups: Patterns<Group>;
  /** What a label's key leads to: entries by the value of their pivot. Keys with the same groups share it. */
  readonly byKey: Map<string, Patterns<Entry>>;
  readonly byGroups: Map<string, Patterns<Entry>>;
}

const roomOf = (entries: readonly Entry[]): Room => {
  const floor = entries.find((entry) => entry.pivot === undefined)?.rank ?? Infinity;
  const byPivot = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (entry.pivot === undefined || entry.rank >= floor) continue;
    const [key] = entry.pivot;
    const known = byPivot.get(key);
    if (known === undefined) byPivot.set(key, [entry]);
    else known.push(entry);
  }
  const groups = [...byPivot].map(([pattern, of], id) => ({ pattern, item: { id, entries: of } }));
  return { floor, groups: new Patterns(groups), byKey: new Map(), byGroups: new Map() };
};

/** In order of rank, by the value of the pivot. */
const byValue = (groups: readonly Group[]): Patterns<Entry> => {
  const entries = groups.flatMap((group) => group.entries).sort((a, b) => a.rank - b.rank);
  return new Patterns(entries.map((item) => ({ pattern: item.pivot?.[1] ?? '', item })));
};

/** A set of profiles, prepared for matching. It never changes; make a new one when profiles change. */
export class Matcher<P extends Profile = Profile> {
  /** In alphanumeric order of their names, which is the order of precedence. */
  readonly profiles: readonly P[];
  readonly #byName: ReadonlyMap<string, number>;
  readonly #entries: readonly Entry[];
  readonly #rooms = new Map<string, Room>();
  #remembered = 0;

  constructor(profiles: readonly P[]) {
    this.profiles = [...profiles].sort(byName);
    this.#byName = new Map(this.profiles.map((profile, rank) => [profile.metadata.name, rank]));
    const counts = countLabels(profiles);
    this.#entries = this.profiles.flatMap((p, rank) => p.spec.selectors.map((s) => entryOf(rank, s, counts)));
  }

  /** The profile of that name, if there is one. */
  get(name: string): P | undefined {
    return this.profiles[this.#byName.get(name) ?? -1];
  }

  /** Rank of the first profile that matches, or Infinity. */
  first(namespace: string, labels: Labels): number {
    const room = this.#room(namespace);
    let best = room.floor;
    const consider = (entry: Entry): boolean => {
      if (entry.rank >= best) return false;
      if (entry.rest.every((test) => has(labels, test))) best = entry.rank;
      return true;
    };
    for (const key in labels) this.#candidates(room, key).visit(labels[key] ?? '', consider);
    return best;
  }

  #room(namespace: string): Room {
    const known = this.#rooms.get(namespace);
    if (known !== undefined) return known;
    const entries = this.#entries.filter((entry) => entry.namespace(namespace));
    this.#remember(entries.length);
    const room = roomOf(entries);
    this.#rooms.set(namespace, room);
    return room;
  }

  /** Entries whose pivot has a key that this one satisfies. */
  #candidates(room: Room, key: string): Patterns<Entry> {
    const known = room.byKey.get(key);
    if (known !== undefined) return known;
    const groups = room.groups.matching(key);
    const name = groups.map(({ id }) => id).join();
    let found = room.byGroups.get(name);
    if (found === undefined) {
      found = byValue(groups);
      room.byGroups.set(name, found);
      this.#remember(groups.reduce((sum, group) => sum + group.entries.length, 0));
    }
    this.#remember(0);
    room.byKey.set(key, found);
    return found;
  }

  /** An answer without entries costs as much as some with: a key, a place in a map. */
  #remember(entries: number): void {
    this.#remembered += entries + 10;
    if (this.#remembered <= REMEMBERED) return;
    this.#rooms.clear();
    this.#remembered = entries + 10;
  }
}

/** Whether a DaemonSet owns the pod: such pods are for every node, and never for one of their own (§3.1). */
export const isDaemonSetPod = (pod: Pod): boolean =>
  (pod.metadata.ownerReferences ?? []).some((owner) => owner.kind === 'DaemonSet');

/** Whether the pod itself says that it shall not run on Fargate (§1.5). */
export const isOptedOut = (pod: Pod): boolean =>
  pod.metadata.annotations?.[COMPUTE_TYPE] === COMPUTE_TYPE_EC2;

const leftAlone = (pod: Pod, namespace: string): LeftAlone | undefined => {
  if (namespace === SYSTEM_NAMESPACE) return 'system-namespace';
  if (isOptedOut(pod)) return 'opted-out';
  if (isDaemonSetPod(pod)) return 'daemon-set';
  const scheduler = pod.spec.schedulerName || DEFAULT_SCHEDULER;
  if (scheduler !== DEFAULT_SCHEDULER && scheduler !== SCHEDULER) return 'foreign-scheduler';
  return pod.spec.nodeName ? 'node-named' : undefined;
};

/**
 * The profile that the pod runs under, or why it runs under none.
 *
 * The first matching profile in alphanumeric order wins. A profile label on the pod picks that profile if it
 * matches; if it does not, the pod stays off Fargate (our reading of §1.5, where nothing public settles it).
 * @param namespace the pod's namespace; a pod in an admission review may not carry it yet
 */
export const matchPod = <P extends Profile>(
  matcher: Matcher<P>,
  pod: Pod,
  namespace: string = pod.metadata.namespace ?? 'default',
): Match<P> => {
  const because = leftAlone(pod, namespace);
  if (because !== undefined) return { kind: 'left-alone', because };
  const labels = pod.metadata.labels ?? {};
  const named = labels[PROFILE_LABEL];
  if (named !== undefined) {
    const profile = matcher.get(named);
    return profile !== undefined && profileMatches(profile, labels, namespace)
      ? { kind: 'matched', profile }
      : { kind: 'label-mismatch', named, exists: profile !== undefined };
  }
  const profile = matcher.profiles[matcher.first(namespace, labels)];
  return profile === undefined ? { kind: 'no-profile' } : { kind: 'matched', profile };
};

/** Whether any selector of the profile matches, as the scheduler checks again before it places a pod. */
export const profileMatches = (profile: Profile, labels: Labels, namespace: string): boolean =>
  namespace !== SYSTEM_NAMESPACE &&
  profile.spec.selectors.some(
    (selector) =>
      compile(selector.namespace)(namespace) &&
      Object.entries(selector.labels ?? {}).every(([key, value]) => has(labels, label(key, value))),
  );
