/** What all our kinds have in common: one TypeBox schema gives their types, JSON Schema and CRD. */
import { type Static, type TSchema, Type } from 'typebox';
import type { ObjectMeta } from '../core/pod.ts';

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  /** 0 shows the column always, 1 with `-o wide` only. Default 0. */
  readonly priority?: number;
}

/** A validation in CEL, with the text that a refusal shows. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
}

/** A kind as `crds.ts` turns it into a CustomResourceDefinition: cluster-scoped and ours unless it says otherwise. */
export interface Kind {
  readonly group?: string;
  readonly version?: string;
  readonly scope?: 'Cluster' | 'Namespaced';
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: TSchema;
  /** An object without a spec is accepted. */
  readonly specOptional?: boolean;
  /** Without it the kind has no status. */
  readonly status?: TSchema;
  readonly columns: readonly Column[];
  /** Rules over the whole object, where `self.metadata.name` can be read. */
  readonly rules: readonly Rule[];
}

/** Schema option that carries CEL rules into the CRD. */
export const rules = (...list: readonly Rule[]): { 'x-kubernetes-validations': readonly Rule[] } => ({
  'x-kubernetes-validations': list,
});

/** Metadata of a cluster-scoped object, whose name is known. */
export type NamedMeta = ObjectMeta & { name: string };

/** A schema's static type with everything readonly, as decisions take their input. */
export type Frozen<T> = T extends (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** A condition as of meta/v1, one per type. */
export const Condition = Type.Object({
  type: Type.String(),
  status: Type.Enum(['True', 'False', 'Unknown']),
  reason: Type.String({ description: 'One CamelCase word for programs.' }),
  message: Type.String({ description: 'One sentence for people.' }),
  lastTransitionTime: Type.String({ format: 'date-time' }),
});

/** A condition of one of our objects. */
export type Condition = Frozen<Static<typeof Condition>>;
