/** What every Kubernetes object has, and how objects are named inside this program. */
import type { ObjectMeta } from 'kubernetes-types/meta/v1.js';

/** The part that all kinds share. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

/** Names one object of a known kind; `namespace` only where the kind has one. */
export interface Key {
  readonly name: string;
  readonly namespace?: string;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of stores and queues. */
export const keyOf = (object: KubeObject): string => {
  const { name = '', namespace } = object.metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
};

/** The version of an object as the API server wrote it; `0`, older than any, when it was never written. */
export const versionOf = (object: KubeObject): string => object.metadata?.resourceVersion ?? '0';

/**
 * Whether resourceVersion `a` is newer than `b`. They are positive decimal integers without leading zeros, of
 * any length, comparable within one resource type (Kubernetes 1.35, KEP-5504).
 */
export const isNewer = (a: string, b: string): boolean =>
  a.length === b.length ? a > b : a.length > b.length;

/** A moment in the form of meta/v1 MicroTime. @param now milliseconds since 1970 */
export const microTime = (now: number): string => new Date(now).toISOString().replace('Z', '000Z');
