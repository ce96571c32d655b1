/** Server-side apply of manifests, in an order in which each finds what it needs. */
import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { customResourceDefinitions, type Resource } from '../api/resources.ts';
import { until } from '../host/wait.ts';
import { isAlreadyExists, type KubeClient, type KubeObject } from './client.ts';

/** How long a new kind may take until it is served, in milliseconds. */
const LIMIT_MS = 30_000;

/** Kinds that others need, in their order; everything else comes after them. */
const FIRST = ['Namespace', 'CustomResourceDefinition'];

const rank = ({ kind = '' }: KubeObject): number =>
  FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length;

/**
 * The documents of a YAML text, with the types of JSON only: what looks like a date stays a text. Empty documents
 * are left out.
 * @throws YAMLException
 */
export const parseManifests = (yaml: string): readonly KubeObject[] =>
  loadAll(yaml, null, { schema: CORE_SCHEMA }).filter(
    (document) => document !== null && document !== undefined,
  ) as KubeObject[];

/**
 * Makes the cluster have these objects as they are written, whatever it had before, and waits until kinds
 * defined among them are served. May be repeated.
 * @param fieldManager owns the fields written; fields that it wrote earlier and no longer does are removed
 * @throws ApiError, ConnectionError; TimeoutError for a kind that is not served
 */
export const applyManifests = async (
  client: KubeClient,
  documents: readonly KubeObject[],
  fieldManager: string,
): Promise<void> => {
  for (const document of documents.toSorted((a, b) => rank(a) - rank(b))) {
    const resource = await resourceOf(client, document);
    const { name = '', namespace } = document.metadata ?? {};
    const key = resource.namespaced ? { name, namespace: namespace ?? 'default' } : { name };
    await client.patch(resource, key, document, { type: 'apply', fieldManager, force: true });
    if (document.kind === 'CustomResourceDefinition') await established(client, name);
  }
};

/** Creates an object unless there is one of its name, which is left as it is. @throws ApiError, ConnectionError */
export const createOnce = async <T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
): Promise<void> => {
  try {
    await client.create(resource, object);
  } catch (cause) {
    if (!isAlreadyExists(cause)) throw cause;
  }
};

/** Where the server keeps objects of the document's kind; waits for a kind that was just defined. */
const resourceOf = async (client: KubeClient, document: KubeObject): Promise<Resource<KubeObject>> => {
  const { apiVersion = '', kind = '' } = document;
  const found = await until(
    async () => (await client.kinds(apiVersion)).find((served) => served.kind === kind),
    { limitMs: LIMIT_MS, what: `the API server to serve ${kind} of ${apiVersion}` },
  );
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return { group, version, kind, plural: found.name, namespaced: found.namespaced };
};

const established = async (client: KubeClient, name: string): Promise<void> => {
  const isEstablished = async (): Promise<boolean> => {
    const { status } = await client.get(customResourceDefinitions, { name });
    return (status?.conditions ?? []).some(({ type, status }) => type === 'Established' && status === 'True');
  };
  await until(isEstablished, { limitMs: LIMIT_MS, what: `the kind ${name} to be established` });
};
