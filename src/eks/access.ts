/**
 * Who may call the API: keys and roles from one Secret in the product's namespace, watched, so that they are
 * added, changed and revoked without a restart.
 *
 * The Secret `eks-access` has one entry per key, named by its access key id, and one per role, named
 * `role.NAME`; each is a JSON document of the shapes below.
 */
import { randomBytes } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { type Secret, secrets } from '../api/resources.ts';
import { SYSTEM_NAMESPACE } from '../core/names.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import type { Log } from '../kube/log.ts';
import { retried } from '../kube/retry.ts';
import { type Store, watchStore } from '../kube/store.ts';

/** Name of the Secret. */
export const ACCESS_SECRET = 'eks-access';

const Permissions = {
  actions: Type.Array(Type.String(), { description: 'Such as eks:* or eks:Describe*.' }),
  clusters: Type.Array(Type.String(), { description: 'Names of clusters, * for all.' }),
  kubernetes: Type.Optional(
    Type.Object(
      {
        username: Type.Optional(Type.String({ minLength: 1 })),
        groups: Type.Array(Type.String({ minLength: 1 })),
      },
      {
        additionalProperties: false,
        description: 'Who the caller is to kubectl with a token of `aws eks get-token`. Without it: nobody.',
      },
    ),
  ),
  rate: Type.Optional(
    Type.Object(
      { perSecond: Type.Number({ exclusiveMinimum: 0 }), burst: Type.Integer({ minimum: 1 }) },
      { additionalProperties: false, description: 'Calls that are let through before throttling.' },
    ),
  ),
};

const KeyEntry = Type.Object(
  {
    secretAccessKey: Type.String({ minLength: 16 }),
    user: Type.String({ pattern: '^[\\w+=,.@-]{1,64}$' }),
    ...Permissions,
  },
  { additionalProperties: false },
);

const RoleEntry = Type.Object(
  {
    trust: Type.Array(Type.String(), {
      description: 'Subjects that may take the role, such as system:serviceaccount:NAMESPACE:NAME.',
    }),
    ...Permissions,
  },
  { additionalProperties: false },
);

/** A key of a user. */
export type Key = Static<typeof KeyEntry>;
/** A role that service accounts may take. */
export type Role = Static<typeof RoleEntry>;

const ROLE_PREFIX = 'role.';

/** Keys and roles as they are now. */
export interface Access {
  key(accessKeyId: string): Key | undefined;
  role(name: string): Role | undefined;
  /** Resolves when the Secret was read for the first time, or is known not to exist. */
  readonly synced: Promise<void>;
  stop(): void;
}

interface Entries {
  readonly keys: ReadonlyMap<string, Key>;
  readonly roles: ReadonlyMap<string, Role>;
}

const NONE: Entries = { keys: new Map(), roles: new Map() };

/** Entries that cannot be read are left out and told of by name; their content is never logged. */
const read = (secret: Secret | undefined, log: Log): Entries => {
  const keys = new Map<string, Key>();
  const roles = new Map<string, Role>();
  for (const [name, data] of Object.entries(secret?.data ?? {})) {
    const value = parsed(Buffer.from(data, 'base64').toString());
    const isRole = name.startsWith(ROLE_PREFIX);
    if (isRole && Value.Check(RoleEntry, value)) roles.set(name.slice(ROLE_PREFIX.length), value);
    else if (!isRole && Value.Check(KeyEntry, value)) keys.set(name, value);
    else log.error({ secret: ACCESS_SECRET, entry: name }, 'entry is no key and no role; it is left out');
  }
  return { keys, roles };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // `read` tells of the entry
  }
};

/** Watches the Secret. */
export const watchAccess = (client: KubeClient, log: Log): Access => {
  const store: Store<Secret> = watchStore(client, secrets, {
    namespace: SYSTEM_NAMESPACE,
    fieldSelector: `metadata.name=${ACCESS_SECRET}`,
    log,
  });
  let entries = NONE;
  store.onChange((_key, now) => {
    entries = read(now, log);
  });
  return {
    key: (id) => entries.keys.get(id),
    role: (name) => entries.roles.get(name),
    synced: store.synced,
    stop: () => store.stop(),
  };
};

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A new access key id: four letters that tell its kind and 16 random ones, as AWS writes them. */
export const newAccessKeyId = (prefix: 'AKIA' | 'ASIA'): string =>
  prefix + [...randomBytes(16)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');

/** A new secret access key: 40 characters. */
export const newSecretAccessKey = (): string => randomBytes(30).toString('base64');

/** A key pair, as clients are told it. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** User of the key pair that an administrator of the cluster gets. */
export const ADMIN_USER = 'admin';

/**
 * The administrator's key pair, made when there is none: it may do everything through the API, and is a member
 * of `system:masters` for kubectl. Needs an administrator's rights.
 */
export const ensureAdminKey = async (client: KubeClient): Promise<KeyPair> => {
  const existing = await getSecret(client);
  const entries = Object.entries(existing?.data ?? {});
  for (const [accessKeyId, data] of entries) {
    const value = parsed(Buffer.from(data, 'base64').toString());
    if (!Value.Check(KeyEntry, value) || value.user !== ADMIN_USER) continue;
    return { accessKeyId, secretAccessKey: value.secretAccessKey };
  }
  const pair = { accessKeyId: newAccessKeyId('AKIA'), secretAccessKey: newSecretAccessKey() };
  const key: Key = {
    secretAccessKey: pair.secretAccessKey,
    user: ADMIN_USER,
    actions: ['*'],
    clusters: ['*'],
    kubernetes: { groups: ['system:masters'] },
  };
  await putEntry(client, pair.accessKeyId, key);
  return pair;
};

const KEY = { namespace: SYSTEM_NAMESPACE, name: ACCESS_SECRET };

const getSecret = (client: KubeClient): Promise<Secret | undefined> => orNothing(client.get(secrets, KEY));

/** Adds or replaces an entry: a key under its id, or a role under `role.NAME`; null removes it. */
export const putEntry = async (client: KubeClient, name: string, entry: Key | Role | null): Promise<void> => {
  const encoded = entry === null ? null : Buffer.from(JSON.stringify(entry)).toString('base64');
  await retried(async () => {
    if ((await getSecret(client)) === undefined)
      await client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: KEY });
    await client.patch(secrets, KEY, { data: { [name]: encoded } }, { type: 'merge' });
  });
};
