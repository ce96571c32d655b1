/**
 * Pod affinity, pod anti-affinity and topology spread constraints against the nodes that a pod could get, for
 * profiles whose policy honours them; the original ignores all of it (spec/fargate.md §1.5, §3.5).
 *
 * Source: Kubernetes documentation "Assigning Pods to Nodes" and "Pod Topology Spread Constraints". Two things
 * are simpler than in a cluster of shared nodes. Each pod gets a node of its own, so no other pod is ever on the
 * same host. And the domains of a spread constraint are those that the subnets of the profile offer: a zone in
 * which the pod can never run keeps no other zone from being used.
 */
import type { PodAffinityTerm, TopologySpreadConstraint } from 'kubernetes-types/core/v1.js';
import { type LabelSelector, type Labels, selects } from '../labels.ts';
import type { Pod } from '../pod.ts';
import { type Candidate, selectionMismatch } from './selection.ts';

/** A pod that has a node, or is about to get it. Pods that have ended are none. */
export interface Neighbour {
  readonly pod: Pod;
  readonly node: Candidate;
}

/** All that the rules of a pod can look at. */
export interface Neighbourhood {
  readonly pods: readonly Neighbour[];
  /** Labels of a namespace; none when they are not known. */
  readonly namespaceLabels: (name: string) => Labels;
}

/** What the rules of a pod, and those of its neighbours, say about nodes. */
export interface TopologyRules {
  /** Why the pod must not be on a node, as the end of a sentence; undefined when it may. */
  readonly refuses: (node: Labels) => string | undefined;
  /** Negative when the pod prefers the first of two nodes. */
  readonly compare: (a: Labels, b: Labels) => number;
}

const valueOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

interface Keyed {
  readonly labelSelector?: LabelSelector | undefined;
  readonly matchLabelKeys?: readonly string[] | undefined;
  readonly mismatchLabelKeys?: readonly string[] | undefined;
}

/** The selector with what the keys add to it by the pod's own labels; none selects nothing. */
const selectorOf = (
  { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] }: Keyed,
  own: Labels,
): ((labels: Labels | undefined) => boolean) => {
  if (labelSelector === undefined) return () => false;
  const keyed = (keys: readonly string[], operator: string) =>
    keys.flatMap((key) => {
      const value = valueOf(own, key);
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  const { matchLabels, matchExpressions = [] } = labelSelector;
  const all = [...matchExpressions, ...keyed(matchLabelKeys, 'In'), ...keyed(mismatchLabelKeys, 'NotIn')];
  return (labels) => selects({ matchLabels, matchExpressions: all }, labels);
};

const namespaceOf = ({ metadata }: Pod): string => metadata.namespace ?? 'default';
const labelsOf = ({ metadata }: Pod): Labels => metadata.labels ?? {};

/** Whether a term of one pod is about another: by its namespaces, or its own one without any, and its labels. */
const isAbout = (
  term: PodAffinityTerm,
  owner: Pod,
  namespaceLabels: Neighbourhood['namespaceLabels'],
): ((other: Pod) => boolean) => {
  const { namespaces = [], namespaceSelector } = term;
  const named = namespaces.length > 0 || namespaceSelector ? namespaces : [namespaceOf(owner)];
  const selected = selectorOf(term, labelsOf(owner));
  return (other) => {
    const namespace = namespaceOf(other);
    const inside =
      named.includes(namespace) ||
      (namespaceSelector !== undefined && selects(namespaceSelector, namespaceLabels(namespace)));
    return inside && selected(other.metadata.labels);
  };
};

/** How many of the pods there are per value of a node label. */
const countBy = (neighbours: readonly Neighbour[], key: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { node } of neighbours) {
    const value = valueOf(node.labels, key);
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
};

const at = (counts: ReadonlyMap<string, number>, node: Labels, key: string): number =>
  counts.get(valueOf(node, key) ?? '') ?? 0;

type Refuses = TopologyRules['refuses'];

/**
 * Required affinity: a pod that all terms are about must be in each term's topology. Where there is none at all
 * and the terms are about the pod itself, it is the first of its kind and may be anywhere.
 */
const affinity = (pod: Pod, { pods, namespaceLabels }: Neighbourhood): Refuses => {
  const terms = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const about = terms.map((term) => isAbout(term, pod, namespaceLabels));
  const meant = (other: Pod): boolean => about.every((is) => is(other));
  const partners = pods.filter((neighbour) => meant(neighbour.pod));
  const counts = terms.map(({ topologyKey }) => countBy(partners, topologyKey));
  const first = counts.every(({ size }) => size === 0) && meant(pod);
  return (node) => {
    const unmet = terms.find(
      ({ topologyKey }, i) =>
        valueOf(node, topologyKey) === undefined ||
        (!first && at(counts[i] as ReadonlyMap<string, number>, node, topologyKey) === 0),
    );
    return unmet && `does not meet the pod's required affinity over ${unmet.topologyKey}`;
  };
};

/** Required anti-affinity, the pod's own and that of its neighbours against it. */
const antiAffinity = (pod: Pod, { pods, namespaceLabels }: Neighbourhood): Refuses => {
  const required = ({ spec }: Pod): readonly PodAffinityTerm[] =>
    spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const own = required(pod).map((term) => {
    const is = isAbout(term, pod, namespaceLabels);
    const others = pods.filter((neighbour) => is(neighbour.pod));
    return { key: term.topologyKey, counts: countBy(others, term.topologyKey), whose: 'the pod' };
  });
  const theirs = pods.flatMap((neighbour) =>
    required(neighbour.pod)
      .filter((term) => isAbout(term, neighbour.pod, namespaceLabels)(pod))
      .map(({ topologyKey: key }) => ({
        key,
        counts: countBy([neighbour], key),
        whose: `pod ${namespaceOf(neighbour.pod)}/${neighbour.pod.metadata.name}`,
      })),
  );
  return (node) => {
    const broken = [...own, ...theirs].find(({ key, counts }) => at(counts, node, key) > 0);
    return broken && `is excluded by the required anti-affinity of ${broken.whose} over ${broken.key}`;
  };
};

/** One spread constraint with the pods that it counts, per domain. */
interface Spread {
  readonly constraint: TopologySpreadConstraint;
  readonly counts: ReadonlyMap<string, number>;
  /** Whether the pod counts itself. */
  readonly self: 0 | 1;
}

/** The pods of a constraint: of the same namespace, selected, not leaving, and on nodes that the pod could have. */
const spreadOf = (pod: Pod, constraint: TopologySpreadConstraint, { pods }: Neighbourhood): Spread => {
  const selected = selectorOf(constraint, labelsOf(pod));
  const honoured = (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor';
  const counted = pods.filter(
    ({ pod: other, node }) =>
      namespaceOf(other) === namespaceOf(pod) &&
      other.metadata.deletionTimestamp === undefined &&
      selected(other.metadata.labels) &&
      (!honoured || selectionMismatch(pod, node) === undefined),
  );
  return {
    constraint,
    counts: countBy(counted, constraint.topologyKey),
    self: selected(labelsOf(pod)) ? 1 : 0,
  };
};

/** `DoNotSchedule`: no domain gets more than `maxSkew` pods ahead of the emptiest one. */
const spread = (spreads: readonly Spread[], nodes: readonly Labels[]): Refuses => {
  const hard = spreads
    .filter(({ constraint }) => (constraint.whenUnsatisfiable ?? 'DoNotSchedule') === 'DoNotSchedule')
    .map(({ constraint, counts, self }) => {
      const { topologyKey: key, minDomains = 1, maxSkew } = constraint;
      const domains = new Set(nodes.flatMap((node) => valueOf(node, key) ?? []));
      const fewest = Math.min(...[...domains].map((value) => counts.get(value) ?? 0));
      return { key, counts, most: (domains.size < minDomains ? 0 : fewest) + maxSkew - self, maxSkew };
    });
  return (node) => {
    const broken = hard.find(
      ({ key, counts, most }) => valueOf(node, key) === undefined || at(counts, node, key) > most,
    );
    return broken && `would break the pod's maxSkew of ${broken.maxSkew} over ${broken.key}`;
  };
};

/** The weights of preferred affinity that a node has for it, less those against it. */
const attraction = (pod: Pod, { pods, namespaceLabels }: Neighbourhood): ((node: Labels) => number) => {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  const weighted = [
    { terms: podAffinity?.preferredDuringSchedulingIgnoredDuringExecution, sign: 1 },
    { terms: podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution, sign: -1 },
  ].flatMap(({ terms = [], sign }) =>
    terms.map(({ weight, podAffinityTerm: term }) => {
      const is = isAbout(term, pod, namespaceLabels);
      const others = pods.filter((neighbour) => is(neighbour.pod));
      return { key: term.topologyKey, weight: sign * weight, counts: countBy(others, term.topologyKey) };
    }),
  );
  return (node) => weighted.reduce((sum, { key, weight, counts }) => sum + weight * at(counts, node, key), 0);
};

/**
 * The rules of a pod.
 * @param nodes labels of the nodes that the pod could get, one per subnet that its own selectors allow; they
 *   are the domains of its spread constraints
 */
export const topologyRules = (
  pod: Pod,
  neighbourhood: Neighbourhood,
  nodes: readonly Labels[],
): TopologyRules => {
  const spreads = (pod.spec.topologySpreadConstraints ?? []).map((one) => spreadOf(pod, one, neighbourhood));
  const rules = [affinity(pod, neighbourhood), antiAffinity(pod, neighbourhood), spread(spreads, nodes)];
  const attracts = attraction(pod, neighbourhood);
  const crowd = (node: Labels): number =>
    spreads.reduce((sum, { counts, constraint }) => sum + at(counts, node, constraint.topologyKey), 0);
  return {
    refuses: (node) => {
      for (const refuses of rules) {
        const reason = refuses(node);
        if (reason !== undefined) return reason;
      }
      return undefined;
    },
    compare: (a, b) => attracts(b) - attracts(a) || crowd(a) - crowd(b),
  };
};
