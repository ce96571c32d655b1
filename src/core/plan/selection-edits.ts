/** What to take out of a pod's node selectors when no node of the original's could ever satisfy them. */
import { pointerSegment } from '../json-patch.ts';
import { zoneMismatch } from '../placement/selection.ts';
import type { SubnetChoice } from '../placement/subnets.ts';
import type { Pod, PodSpec } from '../pod.ts';
import type { Edit } from './edits.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';

/** The nodes that the pod could get. */
export interface Nodes {
  readonly region: string;
  readonly subnets: SubnetChoice;
  /** Labels that the profile gives its nodes. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The sentence on a pod that would match the node of no subnet; undefined when it matches one. */
const mismatch = (spec: Partial<PodSpec>, { region, subnets, labels }: Nodes): string | undefined => {
  const { usable } = subnets;
  const says = zoneMismatch({ metadata: {}, spec: { containers: [], ...spec } }, region, labels);
  if (says === undefined || usable.length === 0) return undefined;
  const answers = usable.map(says);
  return answers.includes(undefined) ? undefined : answers[0];
};

/**
 * At most one edit: it removes each label of the node selector, and the required affinity, that no node would
 * satisfy on its own, and all of them when they only contradict each other.
 */
export const selectionEdits = ({ spec }: Pod, nodes: Nodes): readonly Edit[] => {
  const { nodeSelector = {}, affinity } = spec;
  const clause = mismatch({ nodeSelector, ...(affinity && { affinity }) }, nodes);
  if (clause === undefined) return [];
  const pairs = Object.entries(nodeSelector).map(([key, value]) => ({
    path: `/spec/nodeSelector/${pointerSegment(key)}`,
    wrong: mismatch({ nodeSelector: { [key]: value } }, nodes) !== undefined,
  }));
  const required = affinity?.nodeAffinity?.[REQUIRED];
  const rules = required
    ? [
        {
          path: `/spec/affinity/nodeAffinity/${REQUIRED}`,
          wrong: mismatch({ ...(affinity && { affinity }) }, nodes) !== undefined,
        },
      ]
    : [];
  const all = [...pairs, ...rules];
  const wrong = all.filter((one) => one.wrong);
  const gone = wrong.length > 0 ? wrong : all;
  return [{ clause, patch: gone.map(({ path }) => ({ op: 'remove', path })) }];
};
