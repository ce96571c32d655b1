/** JSON patches (RFC 6902) and pointers (RFC 6901), as admission answers with them and `plan` proposes them. */

/** One operation. `add` replaces a member that exists. */
export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

/** A key as one segment of a pointer. */
export const pointerSegment = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

const keysOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));

type Parent = Record<string, unknown>;

const child = (parent: unknown, key: string): unknown =>
  typeof parent === 'object' && parent !== null && Object.hasOwn(parent, key)
    ? (parent as Parent)[key]
    : undefined;

/** What stands at a pointer, undefined when there is nothing. */
export const valueAt = (document: unknown, pointer: string): unknown =>
  keysOf(pointer).reduce(child, document);

const change = (parent: Parent | unknown[], key: string, { op, value }: PatchOperation): void => {
  if (!Array.isArray(parent)) {
    if (op === 'remove') delete parent[key];
    else parent[key] = value;
    return;
  }
  const index = key === '-' ? parent.length : Number(key);
  if (op === 'add') parent.splice(index, 0, value);
  else if (op === 'remove') parent.splice(index, 1);
  else parent[index] = value;
};

/**
 * The document with the operations applied in order; the given one stays as it is.
 * @throws Error naming the path whose parent does not exist, or that is to be removed and does not exist
 */
export const applyPatch = <T>(document: T, patch: readonly PatchOperation[]): T => {
  const result = structuredClone(document);
  for (const operation of patch) {
    const { op, path } = operation;
    const parent = valueAt(result, path.slice(0, path.lastIndexOf('/')));
    const missing = op !== 'add' && valueAt(result, path) === undefined;
    if (typeof parent !== 'object' || parent === null || missing)
      throw new Error(`there is nothing at ${path} to ${op}`);
    change(parent as Parent | unknown[], keysOf(path).at(-1) ?? '', operation);
  }
  return result;
};
