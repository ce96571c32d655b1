/** The pod annotation that carries security groups from admission to the machine (spec/fargate.md §6.1). */
import { type PatchOperation, pointerSegment } from '../json-patch.ts';
import { SECURITY_GROUPS_ANNOTATION } from '../names.ts';
import type { Pod } from '../pod.ts';

const PATH = `/metadata/annotations/${pointerSegment(SECURITY_GROUPS_ANNOTATION)}`;

const valueOn = ({ metadata }: Pod): string | undefined => metadata.annotations?.[SECURITY_GROUPS_ANNOTATION];

/** Ids of the groups that the pod was given; none means the cluster security group. */
export const groupsOn = (pod: Pod): readonly string[] =>
  (valueOn(pod) ?? '').split(',').filter((id) => id !== '');

/** Whether the annotation says the same on both. A missing one is as good as an empty one. */
export const sameGroups = (a: Pod, b: Pod): boolean => (valueOn(a) ?? '') === (valueOn(b) ?? '');

/** Whether the annotation is what these groups make of it. */
export const carries = (pod: Pod, groups: readonly string[]): boolean =>
  (valueOn(pod) ?? '') === groups.join(',');

/** Comma-joined ids without spaces; without groups, an annotation that somebody set is taken away. */
export const groupsPatch = (pod: Pod, groups: readonly string[]): readonly PatchOperation[] => {
  const now = valueOn(pod);
  const value = groups.join(',');
  if (groups.length === 0) return now === undefined ? [] : [{ op: 'remove', path: PATH }];
  if (now === value) return [];
  return pod.metadata.annotations
    ? [{ op: 'add', path: PATH, value }]
    : [{ op: 'add', path: '/metadata/annotations', value: { [SECURITY_GROUPS_ANNOTATION]: value } }];
};
