/**
 * The Kubernetes shapes that decisions read, as plain JSON data (timestamps are strings).
 * Source: the OpenAPI types of `kubernetes-types`, plus fields newer than that package.
 */
import type {
  Container as ContainerV130,
  PodSpec as PodSpecV130,
  PodStatus,
  ResourceRequirements,
  Volume,
} from 'kubernetes-types/core/v1.js';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.js';

export type { ObjectMeta, PodStatus, ResourceRequirements, Volume };

/** A container as stored by the API server. */
export type Container = ContainerV130;

/** A pod's spec, with pod-level resources (Kubernetes 1.32 and later). */
export interface PodSpec extends PodSpecV130 {
  resources?: ResourceRequirements;
}

/** A pod as stored by the API server. */
export interface Pod {
  apiVersion?: 'v1';
  kind?: 'Pod';
  metadata: ObjectMeta;
  spec: PodSpec;
  status?: PodStatus;
}
