/** A matcher over profiles that change now and then. */
import { Matcher, type Profile } from './match.ts';

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/**
 * Gives a matcher over the profiles as they are now, prepared anew only when they have changed.
 * @param profiles the profiles as they are now; an object that changes is another object
 */
export const latestMatcher = <P extends Profile>(profiles: () => readonly P[]): (() => Matcher<P>) => {
  let known: readonly P[] = [];
  let matcher = new Matcher(known);
  return () => {
    const now = profiles();
    if (!same(now, known)) {
      known = [...now];
      matcher = new Matcher(known);
    }
    return matcher;
  };
};
