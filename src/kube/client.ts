/** The Kubernetes API: typed requests, each under a time limit. */
import type { APIResource, APIResourceList, Status } from 'kubernetes-types/meta/v1.js';
import type { Resource } from '../api/resources.ts';
import type { KubeConfig } from './credentials.ts';
import { isExpired } from './errors.ts';
import { jsonLines } from './json-lines.ts';
import type { Key, KubeObject } from './object.ts';
import { apiVersionOf, collectionPath, groupPath, namespaceOf, objectPath } from './path.ts';
import { Transport } from './transport.ts';

export type { KubeConfig } from './credentials.ts';
export {
  ApiError,
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isRefusal,
  orNone,
  orNothing,
} from './errors.ts';
export type { Key, KubeObject } from './object.ts';

/** Which objects of a kind. Selectors are written as kubectl takes them. */
export interface Selection {
  /** Default: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** A part of a list. All pages of one list show the same moment, that of `resourceVersion`. */
export interface Page<T> {
  readonly objects: readonly T[];
  readonly resourceVersion: string;
  /** Asks for the next page; absent on the last one. */
  readonly continueToken?: string;
}

/** One line of a watch. A BOOKMARK carries nothing but a resourceVersion. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: Status };

/** How a patch is written and thus what it means (Kubernetes API concepts, "Patch"). */
const PATCHES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml', // of which JSON is a subset
} as const;

export interface PatchOptions {
  readonly type: keyof typeof PATCHES;
  readonly subresource?: string;
  /** Who owns the fields from now on. Default `cloister`. */
  readonly fieldManager?: string;
  /** With `apply`: take fields over from other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  /** Delete only the object with this uid; another one is a conflict. */
  readonly uid?: string | undefined;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
}

/** Objects per request of a list: what kube-rs and client-go use. */
const PAGE_SIZE = 500;

/** Lists that outlive their continuation are started over this many times in all. */
const LIST_ATTEMPTS = 3;

const FIELD_MANAGER = 'cloister';

/**
 * One API server. Every method throws an `ApiError` when the server refuses and a `ConnectionError` when no
 * usable answer arrives within the limit.
 */
export class KubeClient {
  readonly #transport: Transport;

  /** @param options `limitMs`: how long any request may take, 30 s by default */
  constructor(config: KubeConfig, options: { readonly limitMs?: number } = {}) {
    this.#transport = new Transport(config, options.limitMs ?? 30_000);
  }

  async get<T extends KubeObject>(resource: Resource<T>, key: Key): Promise<T> {
    return this.#transport.call({ method: 'GET', path: objectPath(resource, key) });
  }

  /** All objects of a selection, read page by page. */
  async list<T extends KubeObject>(resource: Resource<T>, selection: Selection = {}): Promise<readonly T[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#allPages(resource, selection);
      } catch (error) {
        if (!isExpired(error) || attempt === LIST_ATTEMPTS) throw error;
      }
    }
  }

  /** One page of a list, the first without a continuation. */
  async page<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection & { readonly limit?: number; readonly continueToken?: string | undefined },
  ): Promise<Page<T>> {
    const { namespace, limit = PAGE_SIZE, continueToken, labelSelector, fieldSelector } = selection;
    const list = await this.#transport.call<{
      items: T[] | null;
      metadata: { resourceVersion: string; continue?: string };
    }>({
      method: 'GET',
      path: collectionPath(resource, namespace),
      query: { labelSelector, fieldSelector, limit, continue: continueToken },
    });
    const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    return {
      // Items of a list do not say what they are; objects that are read singly do.
      objects: (list.items ?? []).map((item) => ({ ...type, ...item })),
      resourceVersion: list.metadata.resourceVersion,
      ...(list.metadata.continue ? { continueToken: list.metadata.continue } : {}),
    };
  }

  /**
   * What happens to a selection after `resourceVersion`; resolves when the server has accepted the watch. The
   * server ends it after `seconds`. Without a byte for `idleMs` it throws a `ConnectionError` that is `silent`:
   * either nothing happened or the connection is dead, and asking again is cheap.
   */
  async watch<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection & {
      readonly resourceVersion: string;
      readonly seconds: number;
      readonly idleMs: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<AsyncGenerator<WatchEvent<T>, void>> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, seconds, idleMs, signal } = selection;
    const path = collectionPath(resource, namespace);
    const query = { watch: true, allowWatchBookmarks: true, timeoutSeconds: seconds, resourceVersion };
    const stream = await this.#transport.stream(
      { method: 'GET', path, query: { ...query, labelSelector, fieldSelector } },
      { idleMs, signal },
    );
    return jsonLines(stream, `watch ${path}`);
  }

  /**
   * Creates an object and gives it as stored. With `dryRun` it goes through admission and validation, and the
   * answer is what would have been stored.
   */
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: { readonly dryRun?: boolean },
  ): Promise<T>;
  /**
   * Posts to a subresource of an existing object, such as `binding`, `eviction` or `token`, and gives the
   * answer: the request completed, or, for those with nothing to say, a Status.
   */
  create<R extends KubeObject>(
    resource: Resource<KubeObject>,
    request: R,
    target: Key & { readonly subresource: string },
  ): Promise<R>;
  async create(
    resource: Resource<KubeObject>,
    object: KubeObject,
    options: { readonly dryRun?: boolean } | (Key & { readonly subresource: string }) = {},
  ): Promise<KubeObject> {
    const query = { fieldManager: FIELD_MANAGER };
    if ('subresource' in options) {
      const path = objectPath(resource, options, options.subresource);
      return this.#transport.call({ method: 'POST', path, query, body: object });
    }
    const path = collectionPath(resource, namespaceOf(resource, object.metadata ?? {}));
    const dryRun = options.dryRun === true ? 'All' : undefined;
    return this.#transport.call({ method: 'POST', path, query: { ...query, dryRun }, body: object });
  }

  /** Writes a whole object; a conflict when it was changed since it was read. */
  async replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { readonly subresource?: string } = {},
  ): Promise<T> {
    const { name = '', namespace } = object.metadata ?? {};
    const path = objectPath(resource, { name, ...(namespace && { namespace }) }, options.subresource);
    return this.#transport.call({
      method: 'PUT',
      path,
      query: { fieldManager: FIELD_MANAGER },
      body: object,
    });
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    key: Key,
    patch: unknown,
    options: PatchOptions,
  ): Promise<T> {
    return this.#transport.call({
      method: 'PATCH',
      path: objectPath(resource, key, options.subresource),
      query: { fieldManager: options.fieldManager ?? FIELD_MANAGER, force: options.force },
      body: patch,
      contentType: PATCHES[options.type],
    });
  }

  /** Asks for an object's deletion; finalizers and grace periods let it live on for a while. */
  async delete<T extends KubeObject>(
    resource: Resource<T>,
    key: Key,
    { uid, ...options }: DeleteOptions = {},
  ): Promise<void> {
    const body = { ...options, ...(uid === undefined ? {} : { preconditions: { uid } }) };
    await this.#transport.call({ method: 'DELETE', path: objectPath(resource, key), body });
  }

  /** The kinds that the server has in a group and version, such as `v1` or `apps/v1`; not subresources. */
  async kinds(apiVersion: string): Promise<readonly Pick<APIResource, 'kind' | 'name' | 'namespaced'>[]> {
    const { resources } = await this.#transport.call<APIResourceList>({
      method: 'GET',
      path: groupPath(apiVersion),
    });
    return resources.filter(({ name }) => !name.includes('/'));
  }

  /** Ends all watches and drops all connections. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #allPages<T extends KubeObject>(resource: Resource<T>, selection: Selection): Promise<readonly T[]> {
    const objects: T[] = [];
    let continueToken: string | undefined;
    do {
      const page = await this.page(resource, { ...selection, continueToken });
      objects.push(...page.objects);
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
    return objects;
  }
}
