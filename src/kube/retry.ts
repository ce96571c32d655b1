/** Changes of objects that others change at the same time (optimistic locking). */
import { isAlreadyExists, isConflict } from './errors.ts';

/** Attempts before the error of the last one counts. */
const ATTEMPTS = 5;

/**
 * Looks and writes anew while another was faster: the object was changed, or made, since `attempt` looked at it.
 * @throws what the last attempt threw, or at once what is no conflict
 */
export const retried = async <T>(attempt: () => Promise<T>): Promise<T> => {
  for (let made = 1; ; made++) {
    try {
      return await attempt();
    } catch (cause) {
      if (made === ATTEMPTS || !(isConflict(cause) || isAlreadyExists(cause))) throw cause;
    }
  }
};
