/** Noticing that machines begin, end, or get their seed: by looking at their directories twice a second. */

/** What is compared from one look to the next: the machines' names, and one word for the state of each. */
export type Look = () => ReadonlyMap<string, string>;

/** Half a second: a look costs a few system calls per machine, and a pod may take 60 s to be failed. */
const EVERY_MS = 500;

/** Calls `changed` with each name whose state differs from the look before. @returns how to stop */
export const watchStates = (look: Look, changed: (name: string) => void): (() => void) => {
  let before = look();
  const timer = setInterval(() => {
    const now = look();
    for (const name of new Set([...before.keys(), ...now.keys()])) {
      if (before.get(name) !== now.get(name)) changed(name);
    }
    before = now;
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
};
