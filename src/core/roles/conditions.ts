/**
 * Conditions of IAM policies, as far as trust policies need them (IAM user guide, "IAM JSON policy elements:
 * Condition operators"). What is not known here is told apart from what does not hold.
 */
import { isObject } from '../json.ts';
import { compile } from '../profile/wildcard.ts';

/** Whether something holds; unknown where this program does not understand it. */
export type Holds = 'yes' | 'no' | 'unknown';

/** Keys of a request in lower case, as IAM compares them, with their values. */
export type RequestContext = ReadonlyMap<string, string>;

/** Makes the test of a value that a policy wants; undefined for a value that says nothing. */
type Compare = (wanted: string) => ((actual: string) => boolean) | undefined;

const equals: Compare = (wanted) => (actual) => actual === wanted;
const equalsIgnoreCase: Compare = (wanted) => (actual) => actual.toLowerCase() === wanted.toLowerCase();

/** An ARN's six parts; the last one keeps its colons. */
const partsOf = (arn: string): readonly string[] => {
  const parts = arn.split(':');
  return parts.length < 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')];
};

/** Wildcards stand for characters within one part, so that none of them reaches into another account. */
const arnLike: Compare = (wanted) => {
  const tests = partsOf(wanted).map(compile);
  if (tests.length < 6) return undefined;
  return (actual) => partsOf(actual).every((part, index) => tests[index]?.(part) === true);
};

/** Operators by name; the others are these, turned round. `ArnEquals` knows wildcards as `ArnLike` does. */
const OPERATORS = new Map<string, Compare>([
  ['StringEquals', equals],
  ['StringEqualsIgnoreCase', equalsIgnoreCase],
  ['StringLike', compile],
  ['ArnEquals', arnLike],
  ['ArnLike', arnLike],
]);

/** `StringNotLike` is `StringLike` turned round. */
const NEGATED = /^(String|Arn)Not(Equals|EqualsIgnoreCase|Like)$/;

const isText = (value: unknown): value is string => typeof value === 'string';

/** One text or a list of them; undefined for anything else, and for a list of none, which IAM does not know. */
export const textsOf = (value: unknown): readonly string[] | undefined => {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every(isText) ? list : undefined;
};

/** Values with variables would have to be filled in first. */
const isPlain = (value: string): boolean => !value.includes('${');

/**
 * Whether one key of one operator holds. Several values are alternatives; a negated operator wants none of them.
 * `…IfExists` makes no difference to a key that is there, and of others it is not known whether they are.
 */
const keyHolds = (operator: string, key: string, value: unknown, context: RequestContext): Holds => {
  const bare = operator.replace(/IfExists$/, '');
  const compare = OPERATORS.get(bare.replace(NEGATED, '$1$2'));
  const values = textsOf(value);
  const actual = context.get(key.toLowerCase());
  if (compare === undefined || actual === undefined || !values?.every(isPlain)) return 'unknown';
  const tests = values.map(compare);
  if (tests.includes(undefined)) return 'unknown';
  return tests.some((test) => test?.(actual)) === NEGATED.test(bare) ? 'no' : 'yes';
};

/** One part of a member `Condition`. */
export interface Judged {
  readonly holds: Holds;
  /** `ArnLike aws:SourceArn`, or what is there instead. */
  readonly where: string;
}

/** Judges a member `Condition`, part by part: all operators and all keys have to hold. */
export const judgeConditions = (condition: unknown, context: RequestContext): readonly Judged[] => {
  if (condition === undefined) return [];
  if (!isObject(condition)) return [{ holds: 'unknown', where: JSON.stringify(condition) }];
  return Object.entries(condition).flatMap(([name, keys]): readonly Judged[] =>
    isObject(keys) && Object.keys(keys).length > 0
      ? Object.entries(keys).map(([key, value]) => ({
          holds: keyHolds(name, key, value, context),
          where: `${name} ${key}`,
        }))
      : [{ holds: 'unknown', where: name }],
  );
};
