/** The user's prices. */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Rates } from '../core/plan/price.ts';
import { readDocuments } from './documents.ts';

const Price = Type.Number({ minimum: 0 });

const Schema = Type.Object({
  currency: Type.String({ minLength: 1 }),
  vcpuHour: Price,
  gbHour: Price,
  storageGbHour: Price,
});

/** Reads a rate file, YAML or JSON. @throws Error naming the file and every wrong field */
export const readRates = (file: string): Rates => {
  const [document] = readDocuments(file);
  if (Value.Check(Schema, document)) return document satisfies Static<typeof Schema>;
  const wrong = [...Value.Errors(Schema, document ?? {})].map(
    ({ instancePath, message }) => `${instancePath || '/'}: ${message}`,
  );
  throw new Error(`rates ${file}: ${wrong.join('; ')}`);
};
