/** YAML and JSON files with many objects, as kubectl takes them. */
import { readFileSync } from 'node:fs';
import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { isObject, type JsonObject } from '../core/json.ts';

/** One object of a file. */
export type Document = JsonObject;

const flatten = (value: unknown, where: string): readonly Document[] => {
  if (value == null) return [];
  if (!isObject(value)) throw new Error(`${where} is no object`);
  const { kind, items } = value;
  if (Array.isArray(items) && (kind === undefined || (typeof kind === 'string' && kind.endsWith('List'))))
    return items.flatMap((item, i) => flatten(item, `${where}, item ${i + 1}`));
  return [value];
};

/** Text of a file, or of standard input for `-`. @throws Error naming the file */
export const readText = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
};

/**
 * All objects of a file; lists are opened, empty documents left out.
 * @param file path, or `-` for standard input
 * @throws Error naming the file and what is wrong in it
 */
export const readDocuments = (file: string): readonly Document[] => {
  const text = readText(file);
  const name = file === '-' ? 'standard input' : file;
  let documents: readonly unknown[];
  try {
    documents = loadAll(text, null, { schema: CORE_SCHEMA });
  } catch (cause) {
    throw new Error(`${name} is no YAML: ${(cause as Error).message}`, { cause });
  }
  return documents.flatMap((value, i) => flatten(value, `document ${i + 1} of ${name}`));
};
