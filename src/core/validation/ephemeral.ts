/** Ephemeral containers: the rules of ordinary ones, checked one by one when they are added (§3.2). */
import type { EphemeralContainer } from 'kubernetes-types/core/v1.js';
import type { Policy } from './policy.ts';
import { containerRefusals } from './validate.ts';

/**
 * What is refused in the container, without the prefix that pods' messages have.
 * @returns undefined when nothing is refused
 */
export const ephemeralRefusal = (container: EphemeralContainer, policy: Policy): string | undefined => {
  const clauses = containerRefusals(container, policy);
  return clauses.length === 0 ? undefined : clauses.join(', ');
};
