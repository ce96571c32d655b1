/** Patterns of selectors: `*` is any number of characters, `?` exactly one, the rest stands for itself (§1.5). */

/** Whether the text matches the pattern as a whole. */
export type Test = (text: string) => boolean;

/** Whether a pattern has wildcards at all. */
export const isPattern = (pattern: string): boolean => pattern.includes('*') || pattern.includes('?');

/**
 * Greedy matching with one point to return to, the last `*`: at most pattern × text steps, so no pattern
 * can make admission slow. Characters are UTF-16 units; names and labels of Kubernetes are ASCII.
 */
const matches = (pattern: string, text: string): boolean => {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const wanted = pattern[p];
    if (wanted === '*') {
      star = p;
      resume = t;
      p += 1;
    } else if (p < pattern.length && (wanted === '?' || wanted === text[t])) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      resume += 1;
      t = resume;
      p = star + 1;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
};

/** Compiles a pattern; the common forms `*`, `prefix*` and plain text become single comparisons. */
export const compile = (pattern: string): Test => {
  if (!isPattern(pattern)) return (text) => text === pattern;
  if (pattern === '*') return () => true;
  const head = pattern.slice(0, -1);
  if (pattern.endsWith('*') && !isPattern(head)) return (text) => text.startsWith(head);
  return (text) => matches(pattern, text);
};
