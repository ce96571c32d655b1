/** Who an object is, in problems and events. */
import type { StoredIngress, StoredService } from './claims.ts';
import type { Origin } from './model.ts';

/** Kind and names of an object. */
export const originOf = (kind: Origin['kind'], { metadata }: StoredService | StoredIngress): Origin => ({
  kind,
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
});

/** `Service ns/name`. */
export const inWords = ({ kind, namespace, name }: Origin): string => `${kind} ${namespace}/${name}`;
