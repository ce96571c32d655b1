/** What the API server would refuse of a FargateProfile that only a file tells of. */
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { type FargateProfile, fargateProfileKind } from '../api/fargate-profile.ts';
import { isObject } from '../core/json.ts';
import { checkSelectors } from '../core/profile/rules.ts';

type Schema = TSchema & {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
};

/** The first field that the schema does not know, as kubectl names it: `spec.selectors[0].label`. */
const unknownField = (schema: Schema, value: unknown, at: string): string | undefined => {
  const { properties, items } = schema;
  if (items !== undefined && Array.isArray(value))
    return first(value.map((item, i) => unknownField(items, item, `${at}[${i}]`)));
  if (properties === undefined || !isObject(value)) return undefined;
  return first(
    Object.entries(value).map(([name, field]) => {
      const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
      return known === undefined ? `${at}.${name}` : unknownField(known, field, `${at}.${name}`);
    }),
  );
};

const first = (all: readonly (string | undefined)[]): string | undefined =>
  all.find((one) => one !== undefined);

/** The first thing that is wrong with a profile, if anything is. A mistyped field would widen a selector unseen. */
export const profileProblem = ({ metadata, spec }: FargateProfile): string | undefined => {
  if (typeof metadata?.name !== 'string') return 'metadata.name is missing';
  const unknown = unknownField(fargateProfileKind.spec, spec, 'spec');
  if (unknown !== undefined) return `there is no field ${unknown}`;
  const [wrong] = Value.Errors(fargateProfileKind.spec, spec);
  return wrong === undefined ? checkSelectors(spec.selectors) : `spec${wrong.instancePath} ${wrong.message}`;
};
