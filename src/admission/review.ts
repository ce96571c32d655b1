/** AdmissionReview (admission.k8s.io/v1): what the API server asks, and how we answer. */
import { type Static, Type } from 'typebox';
import type { PatchOperation } from '../core/json-patch.ts';

const Reviewed = Type.Object({
  metadata: Type.Object({ uid: Type.Optional(Type.String()) }, { additionalProperties: true }),
  spec: Type.Object({}, { additionalProperties: true }),
});

/** What we read of a request; the object is judged by whoever answers. */
export const AdmissionReview = Type.Object({
  apiVersion: Type.Literal('admission.k8s.io/v1'),
  kind: Type.Literal('AdmissionReview'),
  request: Type.Object({
    uid: Type.String({ minLength: 1 }),
    operation: Type.String(),
    namespace: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    object: Reviewed,
    /** What the object was before, where it is changed. */
    oldObject: Type.Optional(Type.Union([Reviewed, Type.Null()])),
  }),
});
export type AdmissionReview = Static<typeof AdmissionReview>;
export type AdmissionRequest = AdmissionReview['request'];

/** What we read of a request to delete one object, or one of a collection. */
export const DeletionReview = Type.Object({
  apiVersion: Type.Literal('admission.k8s.io/v1'),
  kind: Type.Literal('AdmissionReview'),
  request: Type.Object({
    uid: Type.String({ minLength: 1 }),
    operation: Type.Literal('DELETE'),
    /** The object; the API server sends it here and leaves `object` empty. */
    oldObject: Type.Object({
      metadata: Type.Object({ name: Type.String() }, { additionalProperties: true }),
    }),
  }),
});

export type DeletionRequest = Static<typeof DeletionReview>['request'];

/** The `response` of a review, without the uid that ties it to its request. */
export interface Answer {
  readonly allowed: boolean;
  readonly patch?: readonly PatchOperation[];
  readonly warnings?: readonly string[];
  /** HTTP code and text of a refusal. */
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

/** A refusal that kubectl prints with its message. */
export const refuse = (message: string): Answer => ({
  allowed: false,
  status: { code: 403, reason: 'Forbidden', message },
});

/** The whole answer; an empty patch is left out. */
export const reviewed = (uid: string, { allowed, patch = [], warnings = [], status }: Answer) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: {
    uid,
    allowed,
    ...(patch.length > 0
      ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
      : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(status === undefined ? {} : { status }),
  },
});
