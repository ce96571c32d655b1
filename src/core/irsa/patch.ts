/**
 * IAM roles for service accounts: what a pod needs to take a role by its service account's token, in the same
 * bytes as the upstream webhook's patch (spec/fargate.md §7).
 */
import type { EnvVar } from 'kubernetes-types/core/v1.js';
import type { PatchOperation } from '../json-patch.ts';
import type { Container, Pod } from '../pod.ts';
import { csvRecord } from './csv.ts';

/** What the cluster gives to every pod. */
export interface IrsaDefaults {
  /** Region for the two variables, or none. */
  readonly region?: string;
  /** Whether clients use the regional endpoints of STS; on by default since Kubernetes 1.22. */
  readonly regionalSts: boolean;
}

type Annotations = Readonly<Record<string, string>>;

/** A role, and the token that takes it. */
interface Identity {
  readonly role: string;
  readonly audience: string;
  readonly regionalSts: boolean;
  readonly expirationSeconds: number;
}

const DOMAIN = 'eks.amazonaws.com';
const SKIP_LABEL = `${DOMAIN}/skip-pod-identity-webhook`;
const VOLUME = 'aws-iam-token';
const MOUNT_PATH = `/var/run/secrets/${DOMAIN}/serviceaccount`;
const TOKEN = 'token';
const DEFAULT_AUDIENCE = 'sts.amazonaws.com';
const DEFAULT_EXPIRATION = 86_400;
const LEAST_EXPIRATION = 600;

const STS = 'AWS_STS_REGIONAL_ENDPOINTS';
const REGIONS = ['AWS_DEFAULT_REGION', 'AWS_REGION'] as const;
const ROLE = 'AWS_ROLE_ARN';
const TOKEN_FILE = 'AWS_WEB_IDENTITY_TOKEN_FILE';

/** Members of a container in the order in which Kubernetes writes them, so that patches are equal as bytes. */
const ORDER = [
  ...[
    'name',
    'image',
    'command',
    'args',
    'workingDir',
    'ports',
    'envFrom',
    'env',
    'resources',
    'resizePolicy',
  ],
  ...['restartPolicy', 'restartPolicyRules', 'volumeMounts', 'volumeDevices', 'livenessProbe'],
  ...['readinessProbe', 'startupProbe', 'lifecycle', 'terminationMessagePath', 'terminationMessagePolicy'],
  ...['imagePullPolicy', 'securityContext', 'stdin', 'stdinOnce', 'tty'],
];

/** Seconds of an annotation, at least 600; what is no whole number counts as absent. */
const expiration = (text: string | undefined): number | undefined =>
  text !== undefined && /^[+-]?\d{1,18}$/.test(text) ? Math.max(LEAST_EXPIRATION, Number(text)) : undefined;

const flag = (text: string | undefined): boolean | undefined =>
  text === 'true' ? true : text === 'false' ? false : undefined;

/** The pod's word on the token's life comes before the service account's. */
const identityOf = (account: Annotations, pod: Pod, defaults: IrsaDefaults): Identity | undefined => {
  const role = account[`${DOMAIN}/role-arn`];
  if (!role) return undefined;
  const life = `${DOMAIN}/token-expiration`;
  return {
    role,
    audience: account[`${DOMAIN}/audience`] ?? DEFAULT_AUDIENCE,
    regionalSts: flag(account[`${DOMAIN}/sts-regional-endpoints`]) ?? defaults.regionalSts,
    expirationSeconds:
      expiration(pod.metadata.annotations?.[life]) ?? expiration(account[life]) ?? DEFAULT_EXPIRATION,
  };
};

const skipped = (pod: Pod): ReadonlySet<string> =>
  new Set(csvRecord(pod.metadata.annotations?.[`${DOMAIN}/skip-containers`] ?? '') ?? []);

/** What the container lacks, in the order of the original; each group only if none of it is there. */
const missingEnv = (env: readonly EnvVar[], identity: Identity, region: string | undefined): EnvVar[] => {
  const has = (...names: readonly string[]): boolean => env.some(({ name }) => names.includes(name));
  return [
    ...(identity.regionalSts && !has(STS) ? [{ name: STS, value: 'regional' }] : []),
    ...(region && !has(...REGIONS) ? REGIONS.map((name) => ({ name, value: region })) : []),
    ...(has(ROLE, TOKEN_FILE)
      ? []
      : [
          { name: ROLE, value: identity.role },
          { name: TOKEN_FILE, value: `${MOUNT_PATH}/${TOKEN}` },
        ]),
  ];
};

/** A container that has all variables is left as it is, without a mount too. */
const isComplete = (env: readonly EnvVar[]): boolean => {
  const names = new Set(env.map(({ name }) => name));
  const one = (...of: readonly string[]): boolean => of.some((name) => names.has(name));
  return one(ROLE, TOKEN_FILE) && one(...REGIONS) && one(STS);
};

const ordered = (container: Container): Container => {
  const place = (key: string): number => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  const entries = Object.entries({ resources: {}, ...container }).sort(([a], [b]) => place(a) - place(b));
  return Object.fromEntries(entries) as unknown as Container;
};

const equip = (container: Container, identity: Identity, region: string | undefined): Container => {
  const env = container.env ?? [];
  if (isComplete(env)) return container;
  const mounts = container.volumeMounts ?? [];
  const added = missingEnv(env, identity, region);
  const mount = { name: VOLUME, readOnly: true, mountPath: MOUNT_PATH };
  return {
    ...container,
    ...(added.length > 0 ? { env: [...env, ...added] } : {}),
    ...(mounts.some(({ name }) => name === VOLUME) ? {} : { volumeMounts: [...mounts, mount] }),
  };
};

const volumeOf = ({ audience, expirationSeconds }: Identity) => ({
  name: VOLUME,
  projected: { sources: [{ serviceAccountToken: { audience, expirationSeconds, path: TOKEN } }] },
});

const volumePatch = (pod: Pod, identity: Identity): readonly PatchOperation[] => {
  const volume = volumeOf(identity);
  if (!pod.spec.volumes) return [{ op: 'add', path: '/spec/volumes', value: [volume] }];
  if (pod.spec.volumes.some(({ name }) => name === VOLUME)) return [];
  return [{ op: 'add', path: '/spec/volumes/0', value: volume }];
};

/**
 * The patch for a pod, empty when its service account has no role or the pod is labelled to be skipped.
 * @param account annotations of the pod's service account
 */
export const irsaPatch = (
  pod: Pod,
  account: Annotations,
  defaults: IrsaDefaults,
): readonly PatchOperation[] => {
  const identity = identityOf(account, pod, defaults);
  if (identity === undefined || pod.metadata.labels?.[SKIP_LABEL] !== undefined) return [];
  const skip = skipped(pod);
  const equipped = (containers: readonly Container[]): readonly Container[] =>
    containers.map((one) => ordered(skip.has(one.name) ? one : equip(one, identity, defaults.region)));
  const init = pod.spec.initContainers ?? [];
  return [
    ...volumePatch(pod, identity),
    { op: 'add', path: '/spec/containers', value: equipped(pod.spec.containers ?? []) },
    ...(init.length > 0 ? [{ op: 'add', path: '/spec/initContainers', value: equipped(init) } as const] : []),
  ];
};
