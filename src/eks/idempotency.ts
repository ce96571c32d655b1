/**
 * Requests that are repeated with the same token: the first answer is kept in a ConfigMap of its own and given
 * again (spec/fargate.md §1.4). Which window the original has is unpublished; here it is a day.
 */
import { createHash } from 'node:crypto';
import { type ConfigMap, configMaps } from '../api/resources.ts';
import type { Refusal } from '../core/eks/errors.ts';
import { SYSTEM_NAMESPACE } from '../core/names.ts';
import { isAlreadyExists, type KubeClient, orNothing } from '../kube/client.ts';

/** How long answers are kept. */
export const RETENTION_MS = 24 * 60 * 60_000;

const LABEL = 'cloister.dev/eks';
const LABEL_VALUE = 'idempotency';

/** A request by its token and by what it asks for. */
export interface Request {
  /** Hash of cluster and token, hexadecimal: tokens may be secret, and are never stored. */
  readonly token: string;
  /** Hash of everything that was asked for. */
  readonly content: string;
}

/** JSON with the members of objects in order, so that equal requests are equal texts. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined && member !== null)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join()}}`;
};

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** @param content what is asked for, without the token */
export const requestOf = (cluster: string, token: string, content: unknown): Request => ({
  token: sha256(JSON.stringify([cluster, token])).slice(0, 40),
  content: sha256(canonical(content)),
});

const nameOf = ({ token }: Request): string => `eks-request-${token}`;

/** What is known of a request. */
export type Known<T> = { readonly kind: 'new' } | { readonly kind: 'repeated'; readonly answer: T };

const MISMATCH: Refusal = {
  type: 'InvalidParameterException',
  message: 'clientRequestToken was used before, for a request with other parameters',
};

/** Looks a request up. A refusal when its token belongs to another one. */
export const recall = async <T>(
  client: KubeClient,
  request: Request,
  now: number,
): Promise<Known<T> | Refusal> => {
  const key = { namespace: SYSTEM_NAMESPACE, name: nameOf(request) };
  const { data } = (await orNothing(client.get(configMaps, key))) ?? {};
  if (data === undefined || Number(data['at']) + RETENTION_MS <= now) return { kind: 'new' };
  if (data['content'] !== request.content) return MISMATCH;
  return { kind: 'repeated', answer: JSON.parse(data['answer'] ?? '') as T };
};

/** Keeps the answer to a request; one that is kept already stays. */
export const remember = async (
  client: KubeClient,
  request: Request,
  answer: unknown,
  now: number,
): Promise<void> => {
  const record: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      namespace: SYSTEM_NAMESPACE,
      name: nameOf(request),
      labels: { [LABEL]: LABEL_VALUE },
    },
    data: { at: String(now), content: request.content, answer: JSON.stringify(answer) },
  };
  try {
    await client.create(configMaps, record);
  } catch (cause) {
    if (!isAlreadyExists(cause)) throw cause;
    await client.replace(configMaps, record); // an expired one that was not swept yet
  }
};

/** Removes answers that are older than their retention. */
export const forget = async (client: KubeClient, now: number): Promise<void> => {
  const records = await client.list(configMaps, {
    namespace: SYSTEM_NAMESPACE,
    labelSelector: `${LABEL}=${LABEL_VALUE}`,
  });
  for (const { metadata, data = {} } of records) {
    if (Number(data['at']) + RETENTION_MS > now) continue;
    const { name = '', uid } = metadata;
    // Another replica sweeps, too.
    await orNothing(client.delete(configMaps, { namespace: SYSTEM_NAMESPACE, name }, { uid }));
  }
};
