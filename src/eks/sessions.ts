/**
 * Temporary credentials that no server remembers: the session token is a sealed note of whose they are and
 * until when, and the secret follows from a key that all replicas share (Secret `eks-sessions`).
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { secrets } from '../api/resources.ts';
import { SYSTEM_NAMESPACE } from '../core/names.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { retried } from '../kube/retry.ts';
import { type KeyPair, newAccessKeyId } from './access.ts';

/** Name of the Secret with the sealing key. Deleting it and starting anew ends all sessions. */
const SESSIONS_SECRET = 'eks-sessions';

const Note = Type.Object({
  id: Type.String(),
  role: Type.String(),
  session: Type.String(),
  subject: Type.String(),
  until: Type.Integer(),
});

/** What a session token says: whose session it is. */
export interface Session {
  /** Name of the role. */
  readonly role: string;
  /** Name that the caller gave the session. */
  readonly session: string;
  /** Who took the role, such as `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject: string;
  /** When it ends, milliseconds since 1970. */
  readonly until: number;
}

/** Credentials of a session. */
export interface SessionCredentials extends KeyPair {
  readonly sessionToken: string;
}

/** Opens and closes sessions. */
export interface Sessions {
  open(session: Session): SessionCredentials;
  /** The session of a token and its secret; undefined when token and access key do not belong together. */
  find(accessKeyId: string, token: string): (Session & { readonly secretAccessKey: string }) | undefined;
}

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** @param key 32 bytes */
export const sessionsOf = (key: Buffer): Sessions => {
  const secretOf = (id: string): string =>
    createHmac('sha256', key).update(`secret access key of ${id}`).digest('base64').slice(0, 40);
  return {
    open: (session) => {
      const accessKeyId = newAccessKeyId('ASIA');
      const note: Static<typeof Note> = { id: accessKeyId, ...session };
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
      const sealed = Buffer.concat([cipher.update(JSON.stringify(note), 'utf8'), cipher.final()]);
      const sessionToken = Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
      return { accessKeyId, secretAccessKey: secretOf(accessKeyId), sessionToken };
    },
    find: (accessKeyId, token) => {
      const note = unseal(key, token);
      if (note === undefined || note.id !== accessKeyId) return undefined;
      return { ...note, secretAccessKey: secretOf(note.id) };
    },
  };
};

const unseal = (key: Buffer, token: string): Static<typeof Note> | undefined => {
  const bytes = Buffer.from(token, 'base64');
  if (bytes.length <= IV_BYTES + TAG_BYTES || bytes.toString('base64') !== token) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    const note: unknown = JSON.parse(text.toString('utf8'));
    return Value.Check(Note, note) ? note : undefined;
  } catch {
    return undefined; // sealed with another key, or altered
  }
};

/** The sessions of this cluster; makes the sealing key when there is none, unless another replica is faster. */
export const loadSessions = (client: KubeClient): Promise<Sessions> =>
  retried(async () => {
    const key = { namespace: SYSTEM_NAMESPACE, name: SESSIONS_SECRET };
    const { data = {} } =
      (await orNothing(client.get(secrets, key))) ??
      (await client.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: key,
        data: { key: randomBytes(32).toString('base64') },
      }));
    const bytes = Buffer.from(data['key'] ?? '', 'base64');
    if (bytes.length === 32) return sessionsOf(bytes);
    throw new Error(
      `Secret ${key.namespace}/${key.name} must have a key of 32 bytes: delete it to have one made`,
    );
  });
