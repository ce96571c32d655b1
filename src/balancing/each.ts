/** What the API server refuses about one object is that object's trouble, and no other's. */

import type { Problem } from '../core/balancing/model.ts';
import { inWords } from '../core/balancing/origins.ts';
import { isConflict, isRefusal } from '../kube/client.ts';
import type { Asking } from './objects.ts';

/** For which objects it did not work, and what to tell of them. */
export interface Failed {
  readonly objects: ReadonlySet<Asking>;
  readonly problems: readonly Problem[];
}

/**
 * Does something for each object, whatever is refused about others. A conflict is no problem: the
 * change that it is with brings another look.
 * @throws Error when the API server is in trouble itself
 */
export const each = async (all: readonly Asking[], act: (one: Asking) => Promise<void>): Promise<Failed> => {
  const objects = new Set<Asking>();
  const problems: Problem[] = [];
  for (const one of all)
    try {
      await act(one);
    } catch (cause) {
      objects.add(one);
      if (isRefusal(cause)) problems.push(refused(one, cause));
      else if (!isConflict(cause)) throw cause;
    }
  return { objects, problems };
};

const refused = ({ origin }: Asking, cause: Error): Problem => ({
  origin,
  message: `${inWords(origin)} cannot be balanced as it is wanted: ${cause.message}. Let the controller write its annotations, finalizers and status`,
});
