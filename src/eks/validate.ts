/** Checks requests against their schemas, without changing a value: the protocol knows no conversions. */
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Refusal } from '../core/eks/errors.ts';
import { RefusedError } from './http.ts';

/** What is read of an error of a schema. */
interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

/** A member that lacks is a wrong parameter; a value of another type is none that the protocol can read. */
const refusalFor = (errors: readonly SchemaError[], part: string): Refusal => {
  const missing = errors.find(({ keyword }) => keyword === 'required');
  if (missing !== undefined) {
    const { requiredProperties = [] } = missing.params as { readonly requiredProperties?: readonly string[] };
    const names = requiredProperties.map((name) => `${missing.instancePath}/${name}`.slice(1)).join(', ');
    return { type: 'InvalidParameterException', message: `${names} must be given` };
  }
  const [first] = errors;
  const where = first?.instancePath === '' ? part : first?.instancePath.slice(1);
  const message = `${where} ${first?.message ?? 'cannot be read'}`;
  return { type: part === 'body' ? 'SerializationException' : 'InvalidParameterException', message };
};

/** For `setValidatorCompiler`. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'request' }) => {
  const compiled = Compile(schema);
  return (value: unknown) => {
    if (compiled.Check(value)) return { value };
    return { error: new RefusedError(refusalFor(compiled.Errors(value), httpPart)) };
  };
};
