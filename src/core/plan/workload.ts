/**
 * Objects of a manifest that make pods, and the pod that each makes: what its controller adds included, as far
 * as selectors and sizes can see it (Kubernetes API reference, "Workload resources").
 */
import { isObject, type JsonObject } from '../json.ts';
import type { ObjectMeta, Pod, PodSpec, Volume } from '../pod.ts';

/** Kinds whose pods can be planned, by where their pod template is. A Pod is its own template. */
const TEMPLATES = {
  Pod: '',
  Deployment: '/spec/template',
  ReplicaSet: '/spec/template',
  ReplicationController: '/spec/template',
  StatefulSet: '/spec/template',
  DaemonSet: '/spec/template',
  Job: '/spec/template',
  CronJob: '/spec/jobTemplate/spec/template',
} as const;

export type WorkloadKind = keyof typeof TEMPLATES;

/** One object that makes pods. */
export interface Workload {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
  /** JSON pointer from the object to its pod template; empty for a Pod. */
  readonly at: string;
  /** The object itself. */
  readonly object: JsonObject;
  /** How many pods it runs at the same time. */
  readonly replicas: number;
  /** Claims that its controller makes for the first of its pods. */
  readonly claims: readonly string[];
  /** The pod as it stands in the manifest. */
  readonly written: Pod;
  /** The pod as it reaches admission. */
  readonly pod: Pod;
}

/** An object that cannot be planned because it is not what its kind says. */
export class ManifestError extends Error {
  constructor(what: string, problem: string) {
    super(`${what}: ${problem}`);
    this.name = 'ManifestError';
  }
}

const child = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce((at, key) => (isObject(at) ? at[key] : undefined), value);

/** Whether the object is of a kind that makes pods. */
const isWorkload = (object: JsonObject): boolean => Object.hasOwn(TEMPLATES, String(object['kind']));

const count = (value: unknown, otherwise: number): number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : otherwise;

const replicasOf = (kind: WorkloadKind, spec: unknown): number => {
  switch (kind) {
    case 'Pod':
    case 'DaemonSet':
      return 1;
    case 'Job':
      return jobReplicas(spec);
    case 'CronJob':
      return jobReplicas(child(spec, 'jobTemplate', 'spec'));
    default:
      return count(child(spec, 'replicas'), 1);
  }
};

const jobReplicas = (spec: unknown): number =>
  Math.min(count(child(spec, 'parallelism'), 1), count(child(spec, 'completions'), Infinity));

/** Stands for a hash that is known only when the pod is made. */
const SOME_HASH = '0000000000';

/** Labels that the object's controller puts on its pods. */
const controllerLabels = (kind: WorkloadKind, name: string): Readonly<Record<string, string>> => {
  switch (kind) {
    case 'Deployment':
      return { 'pod-template-hash': SOME_HASH };
    case 'StatefulSet':
      return {
        'apps.kubernetes.io/pod-index': '0',
        'controller-revision-hash': `${name}-${SOME_HASH}`,
        'statefulset.kubernetes.io/pod-name': `${name}-0`,
      };
    case 'DaemonSet':
      return { 'controller-revision-hash': SOME_HASH, 'pod-template-generation': '1' };
    case 'Job':
    case 'CronJob': {
      const job = kind === 'Job' ? name : `${name}-${SOME_HASH}`;
      return { 'batch.kubernetes.io/job-name': job, 'job-name': job };
    }
    default:
      return {};
  }
};

/** Names of the claim templates of a StatefulSet. */
const claimTemplates = (kind: WorkloadKind, object: JsonObject): readonly string[] => {
  const templates = kind === 'StatefulSet' ? child(object, 'spec', 'volumeClaimTemplates') : undefined;
  return Array.isArray(templates) ? templates.map((one) => String(child(one, 'metadata', 'name'))) : [];
};

const claimName = (template: string, set: string): string => `${template}-${set}-0`;

/** A StatefulSet mounts the claim of each template in the place of a volume of that name. */
const withClaims = (spec: PodSpec, templates: readonly string[], set: string): PodSpec => {
  if (templates.length === 0) return spec;
  const claimed = (name: string): Volume => ({
    name,
    persistentVolumeClaim: { claimName: claimName(name, set) },
  });
  const written = (spec.volumes ?? []).map((volume) =>
    templates.includes(volume.name) ? claimed(volume.name) : volume,
  );
  const added = templates.filter((name) => !written.some((volume) => volume.name === name));
  return { ...spec, volumes: [...written, ...added.map(claimed)] };
};

/** Pods in the host's network have every port on the host: the API server fills it in. */
const withHostPorts = (spec: PodSpec): PodSpec => {
  if (spec.hostNetwork !== true) return spec;
  const open = <C extends PodSpec['containers'][number]>(container: C): C =>
    container.ports === undefined
      ? container
      : {
          ...container,
          ports: container.ports.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort })),
        };
  return {
    ...spec,
    containers: spec.containers.map(open),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(open) }),
  };
};

const listOf = (what: string, spec: JsonObject, key: string): void => {
  const value = spec[key];
  if (value == null) return;
  const good =
    Array.isArray(value) && value.every((item) => isObject(item) && typeof item['name'] === 'string');
  if (!good)
    throw new ManifestError(what, `spec.${key} of its pod must be a list of objects that have a name`);
};

const textsOf = (what: string, metadata: unknown, key: string): void => {
  const value = child(metadata, key);
  if (value == null) return;
  if (!isObject(value) || !Object.values(value).every((item) => typeof item === 'string'))
    throw new ManifestError(
      what,
      `${key} of its pod must be a map of texts; numbers and booleans need quotes`,
    );
};

/** The template as a pod, its shape checked as far as decisions rely on it. */
const templateOf = (what: string, object: JsonObject, at: string): Pod => {
  const template = at === '' ? object : child(object, ...at.slice(1).split('/'));
  const spec = child(template, 'spec');
  if (!isObject(spec)) throw new ManifestError(what, `it has no ${at.slice(1).replaceAll('/', '.')}.spec`);
  for (const key of ['containers', 'initContainers', 'volumes']) listOf(what, spec, key);
  if (!Array.isArray(spec['containers']) || spec['containers'].length === 0)
    throw new ManifestError(what, 'its pod has no containers');
  const metadata = child(template, 'metadata');
  for (const key of ['labels', 'annotations']) textsOf(what, metadata, key);
  return { metadata: (metadata ?? {}) as ObjectMeta, spec: spec as unknown as PodSpec };
};

/**
 * The workload that an object is.
 * @param defaultNamespace for objects that name none
 * @returns undefined when the object makes no pods
 * @throws ManifestError
 */
export const workloadOf = (object: JsonObject, defaultNamespace: string): Workload | undefined => {
  if (!isWorkload(object)) return undefined;
  const kind = object['kind'] as WorkloadKind;
  const metadata = (isObject(object['metadata']) ? object['metadata'] : {}) as ObjectMeta;
  const name = metadata.name ?? (metadata.generateName && `${metadata.generateName}${SOME_HASH.slice(5)}`);
  if (typeof name !== 'string' || name === '') throw new ManifestError(kind, 'it has no metadata.name');
  const namespace = metadata.namespace ?? defaultNamespace;
  const at = TEMPLATES[kind];
  const written = templateOf(`${kind} ${name}`, object, at);
  const templates = claimTemplates(kind, object);
  const spec = withHostPorts(withClaims(written.spec, templates, name));
  const labels = { ...written.metadata.labels, ...controllerLabels(kind, name) };
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name, uid: '' };
  const pod: Pod = {
    metadata: {
      ...written.metadata,
      name,
      namespace,
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
      ...(kind === 'DaemonSet' ? { ownerReferences: [owner] } : {}),
    },
    spec,
  };
  const claims = templates.map((template) => claimName(template, name));
  const replicas = replicasOf(kind, object['spec']);
  return { kind, namespace, name, at, object, replicas, claims, written, pod };
};
