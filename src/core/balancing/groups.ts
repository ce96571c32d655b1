/** Ingresses that share an address: which, and in which order. */
import { ALB_GROUP_ORDER } from './annotations.ts';
import type { StoredIngress } from './claims.ts';

const keyOf = ({ metadata }: StoredIngress): string => `${metadata.namespace}/${metadata.name}`;

/** The order that an Ingress asks for; undefined when that is no number of the original's range. */
export const orderIn = ({ metadata }: StoredIngress): number | undefined => {
  const text = metadata.annotations?.[ALB_GROUP_ORDER]?.trim() ?? '0';
  return /^-?\d{1,4}$/.test(text) && Math.abs(Number(text)) <= 1000 ? Number(text) : undefined;
};

/** The order of an Ingress in its group. */
export const orderOf = (ingress: StoredIngress): number => orderIn(ingress) ?? 0;

/** By their order, then by name, as the original sorts them. */
export const inOrder = (ingresses: readonly StoredIngress[]): readonly StoredIngress[] =>
  ingresses.toSorted((a, b) => orderOf(a) - orderOf(b) || (keyOf(a) < keyOf(b) ? -1 : 1));
