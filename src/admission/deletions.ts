/** Security groups and prefix lists that something uses stay, as in EC2 (spec/fargate.md §6.1). */
import { type Dependents, dependencyViolation } from '../core/groups/existence.ts';
import { type Answer, type DeletionRequest, refuse } from './review.ts';

/** What may use the object, as things are now. */
export type DependentsNow = () => Promise<Dependents>;

/**
 * Answers reviews of deletions.
 * @param operation of the EC2 API, for the text
 * @param users who uses the object of that name
 */
export const deletionReviewer =
  (operation: string, users: (name: string, among: Dependents) => readonly string[], now: DependentsNow) =>
  async ({ oldObject }: DeletionRequest): Promise<Answer> => {
    const { name } = oldObject.metadata;
    const problem = dependencyViolation(operation, name, users(name, await now()));
    return problem === undefined ? { allowed: true } : refuse(problem);
  };
