/**
 * Whether a pod's node selector and required node affinity hold for the node that it would get. The kubelet
 * would fail the pod otherwise, so a mismatch has to be found before there is a node.
 * Source: Kubernetes documentation "Assigning Pods to Nodes"; preferred rules and pod affinity have no effect
 * on Fargate (spec/fargate.md §1.5).
 */
import type { NodeSelectorRequirement, NodeSelectorTerm } from 'kubernetes-types/core/v1.js';
import { nodeLabels } from '../machine/node.ts';
import { nodeName } from '../net/names.ts';
import type { Pod } from '../pod.ts';

/** The node as selectors see it. */
export interface Candidate {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const integer = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^[+-]?\d+$/.test(text) ? BigInt(text) : undefined;

/** One requirement against a label's value, undefined when the node has no such label. */
const holds = (requirement: NodeSelectorRequirement, value: string | undefined): boolean => {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const has = integer(value);
      const bound = integer(values[0]);
      if (has === undefined || bound === undefined) return false;
      return requirement.operator === 'Gt' ? has > bound : has < bound;
    }
    default:
      return false;
  }
};

const valueOf = (labels: Candidate['labels'], key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

/** All requirements of a term must hold; a term without any holds for no node. */
const termHolds = (term: NodeSelectorTerm, node: Candidate): boolean => {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((e) => holds(e, valueOf(node.labels, e.key))) &&
    fields.every((f) => holds(f, f.key === 'metadata.name' ? node.name : undefined))
  );
};

const inWords = ({ key, operator, values }: NodeSelectorRequirement): string =>
  values && values.length > 0 ? `${key} ${operator} [${values.join(', ')}]` : `${key} ${operator}`;

const termInWords = (term: NodeSelectorTerm): string =>
  [...(term.matchExpressions ?? []), ...(term.matchFields ?? [])].map(inWords).join(' and ') ||
  'an empty term';

/**
 * What the pod asks of its node and the node will not have.
 * @returns undefined when everything holds, else a sentence that lists what does not
 */
export const selectionMismatch = (pod: Pod, node: Candidate): string | undefined => {
  const wrong = Object.entries(pod.spec.nodeSelector ?? {})
    .filter(([key, value]) => valueOf(node.labels, key) !== value)
    .map(([key, value]) => `${key}=${value}`);
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms ?? [];
  if (required && !terms.some((term) => termHolds(term, node)))
    wrong.push(terms.map(termInWords).join(' or '));
  return wrong.length === 0
    ? undefined
    : `Node selector or required node affinity does not match the labels that the pod's Fargate node would have: ${wrong.join(', ')}`;
};

/** Stands for the address that is not chosen yet; selectors that want a certain host name never hold. */
const NO_ADDRESS = '0.0.0.0';

/** A subnet, by what of it shows on its nodes. */
interface At {
  readonly name: string;
  readonly zone: string;
}

/**
 * The node that a pod would get in a subnet.
 * @param own labels that the profile gives its nodes
 */
export const futureNode = (
  { name, zone }: At,
  region: string,
  own?: Readonly<Record<string, string>>,
): Candidate => ({
  name: nodeName(NO_ADDRESS, region),
  labels: nodeLabels({ subnet: name, zone, region, address: NO_ADDRESS }, own),
});

/**
 * What the pod's selectors say to a node in a zone.
 * @param own labels that the profile gives its nodes
 * @returns undefined when the pod selects nothing
 */
export const zoneMismatch = (
  pod: Pod,
  region: string,
  own?: Readonly<Record<string, string>>,
): ((at: At) => string | undefined) | undefined => {
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required && Object.keys(pod.spec.nodeSelector ?? {}).length === 0) return undefined;
  return (subnet) => selectionMismatch(pod, futureNode(subnet, region, own));
};
