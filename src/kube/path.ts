/** Where resources live below the API server's root (Kubernetes API concepts, "Resource URIs"). */
import type { Resource } from '../api/resources.ts';
import type { Key } from './object.ts';

/** `v1` for the core group, else `group/version`. */
export const apiVersionOf = (resource: Resource<unknown>): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;

/** The path of a group and version: `/api/v1` or `/apis/<group>/<version>`. */
export const groupPath = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

/** The path of all objects of a kind, in one namespace or in all. */
export const collectionPath = (resource: Resource<unknown>, namespace?: string): string => {
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${groupPath(apiVersionOf(resource))}${scope}/${resource.plural}`;
};

/**
 * The path of one object or of a subresource of it.
 * @throws TypeError when name or namespace is missing, which would address the whole collection
 */
export const objectPath = (resource: Resource<unknown>, key: Key, subresource?: string): string => {
  if (key.name === '') throw new TypeError(`${resource.plural}: a name is needed`);
  const tail = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(resource, namespaceOf(resource, key))}/${encodeURIComponent(key.name)}${tail}`;
};

/** The namespace that a request about one object needs. @throws TypeError when it is missing */
export const namespaceOf = (resource: Resource<unknown>, key: Partial<Key>): string | undefined => {
  if (resource.namespaced && (key.namespace ?? '') === '')
    throw new TypeError(`${resource.plural} ${key.name ?? ''}: a namespace is needed`);
  return key.namespace;
};
