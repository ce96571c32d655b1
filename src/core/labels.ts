/** Label selectors (Kubernetes documentation "Labels and Selectors"). */

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** One requirement; the operator is checked here, since not every kind's schema does. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

/** A selector as of meta/v1: everything in it must hold; an empty one selects everything. */
export interface LabelSelector {
  readonly matchLabels?: Labels | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

/** A malformed requirement holds for nothing: unknown operator, `In` without values, `Exists` with some. */
const holds = ({ key, operator, values = [] }: LabelRequirement, labels: Labels): boolean => {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return values.length > 0 && (value === undefined || !values.includes(value));
    case 'Exists':
      return values.length === 0 && value !== undefined;
    case 'DoesNotExist':
      return values.length === 0 && value === undefined;
    default:
      return false;
  }
};

/** Whether the selector selects an object with these labels. */
export const selects = (
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Labels = {},
): boolean =>
  Object.entries(matchLabels).every(([key, value]) =>
    holds({ key, operator: 'In', values: [value] }, labels),
  ) && matchExpressions.every((requirement) => holds(requirement, labels));
