/** Whether the selectors of a profile are live: in every replica of admission that answers (spec/fargate.md §1.6). */

/** A replica of admission, and whether it has the profile as it is now. */
export interface Replica {
  readonly name: string;
  readonly follows: boolean;
}

/** What keeps selectors from being live, as the predicate of a sentence; undefined when nothing does. */
export const lagOf = (replicas: readonly Replica[]): string | undefined => {
  if (replicas.length === 0) return 'no replica of admission is running';
  const behind = replicas.filter(({ follows }) => !follows).map(({ name }) => name);
  return behind.length === 0
    ? undefined
    : `${behind.length} of ${replicas.length} replicas of admission do not have the profile yet: ${behind.toSorted().join(', ')}`;
};

export type Selectors = readonly {
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
}[];

const labelsOf = (labels: Readonly<Record<string, string>> = {}): readonly (readonly [string, string])[] =>
  Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Whether these are the same selectors in the same order. */
export const sameSelectors = (a: Selectors, b: Selectors): boolean => {
  const text = (selectors: Selectors): string =>
    JSON.stringify(selectors.map(({ namespace, labels }) => [namespace, labelsOf(labels)]));
  return text(a) === text(b);
};
