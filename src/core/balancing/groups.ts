/** Ingresses that share an address: which, and in which order. */
import { ALB_GROUP_NAME, ALB_GROUP_ORDER } from './annotations.ts';
import type { StoredIngress } from './claims.ts';
import type { Problem } from './model.ts';
import { originOf } from './origins.ts';

const keyOf = ({ metadata }: StoredIngress): string => `${metadata.namespace}/${metadata.name}`;

/** The group of an Ingress; undefined when it is in none, or names one as nobody may. */
export const groupOf = ({ metadata }: StoredIngress): string | undefined => {
  const name = metadata.annotations?.[ALB_GROUP_NAME] ?? '';
  return /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(name) ? name : undefined;
};

/** The order that an Ingress asks for; undefined when that is no number of the original's range. */
const orderIn = ({ metadata }: StoredIngress): number | undefined => {
  const text = metadata.annotations?.[ALB_GROUP_ORDER]?.trim() ?? '0';
  return /^-?\d{1,4}$/.test(text) && Math.abs(Number(text)) <= 1000 ? Number(text) : undefined;
};

/** The order of an Ingress in its group. */
export const orderOf = (ingress: StoredIngress): number => orderIn(ingress) ?? 0;

/** By their order, then by name, as the original sorts them. */
export const inOrder = (ingresses: readonly StoredIngress[]): readonly StoredIngress[] =>
  ingresses.toSorted((a, b) => orderOf(a) - orderOf(b) || (keyOf(a) < keyOf(b) ? -1 : 1));

/** What of an Ingress' group makes no sense. */
export const groupProblems = (ingress: StoredIngress): readonly Problem[] => {
  const { [ALB_GROUP_NAME]: name, [ALB_GROUP_ORDER]: order } = ingress.metadata.annotations ?? {};
  const wrong = (key: string, text: string | undefined, form: string): Problem => ({
    origin: originOf('Ingress', ingress),
    message: `the annotation ${key} is ${JSON.stringify(text)} and must be ${form}`,
  });
  return [
    ...(name !== undefined && groupOf(ingress) === undefined
      ? [wrong(ALB_GROUP_NAME, name, 'at most 63 lower-case letters, digits, "-" and ".", or be left out')]
      : []),
    ...(orderIn(ingress) === undefined
      ? [wrong(ALB_GROUP_ORDER, order, 'a whole number from -1000 to 1000')]
      : []),
  ];
};
