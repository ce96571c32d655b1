/**
 * Whom a role trusts: its trust policy, judged as IAM would judge the call with which the service of Fargate takes
 * the role (IAM user guide, "Policy evaluation logic"; spec/fargate.md §1.8). A subset: what is not understood
 * never lets anybody in. An Allow that is not understood allows nothing, such a Deny denies.
 */
import { isObject, type JsonObject } from '../json.ts';
import { compile } from '../profile/wildcard.ts';
import { type Holds, judgeConditions, type RequestContext, textsOf } from './conditions.ts';

/** The service that takes pod execution roles. */
export const FARGATE_PODS = 'eks-fargate-pods.amazonaws.com';

/** What the service calls. */
const ACTION = 'sts:AssumeRole';

/** Members of a statement that say something about a request of the service. `Sid` is a name. */
const KNOWN = new Set(['Sid', 'Effect', 'Principal', 'Action', 'Condition']);

/** Versions of the policy language. */
const VERSIONS: readonly unknown[] = ['2012-10-17', '2008-10-17', undefined];

const isOrNot = (is: boolean): Holds => (is ? 'yes' : 'no');

/** `*` and `{"AWS": "*"}` mean everybody; other wildcards do not exist in principals. */
const judgePrincipal = (principal: unknown): Holds => {
  if (principal === '*') return 'yes';
  if (!isObject(principal)) return 'unknown';
  const kinds = Object.entries(principal).map(([kind, value]): Holds => {
    const texts = textsOf(value);
    if (texts === undefined) return 'unknown';
    if (kind === 'AWS') return isOrNot(texts.includes('*'));
    if (kind === 'Service') return texts.includes('*') ? 'unknown' : isOrNot(texts.includes(FARGATE_PODS));
    return kind === 'Federated' || kind === 'CanonicalUser' ? 'no' : 'unknown';
  });
  return kinds.find((one) => one === 'yes') ?? kinds.find((one) => one === 'unknown') ?? 'no';
};

const judgeAction = (action: unknown): Holds => {
  const texts = textsOf(action);
  if (texts === undefined) return 'unknown';
  return isOrNot(texts.some((pattern) => compile(pattern.toLowerCase())(ACTION.toLowerCase())));
};

/** Something in a statement that keeps it from being about the request, or may. */
interface Miss {
  readonly holds: Exclude<Holds, 'yes'>;
  readonly what: string;
}

const missesOf = (statement: JsonObject, context: RequestContext): readonly Miss[] => {
  const strange = Object.keys(statement).filter((member) => !KNOWN.has(member));
  const parts: readonly { readonly holds: Holds; readonly what: string }[] = [
    { holds: judgePrincipal(statement['Principal']), what: 'Principal' },
    { holds: judgeAction(statement['Action']), what: 'Action' },
    ...judgeConditions(statement['Condition'], context).map(({ holds, where }) => ({
      holds,
      what: `Condition ${where}`,
    })),
    ...strange.map((what) => ({ holds: 'unknown' as const, what })),
  ];
  return parts.filter((part): part is Miss => part.holds !== 'yes');
};

/** Whether a statement is about the request. What certainly does not fit outweighs the unknown. */
const isAbout = (misses: readonly Miss[]): Holds =>
  misses.some(({ holds }) => holds === 'no') ? 'no' : misses.length > 0 ? 'unknown' : 'yes';

const inWords = ({ what, holds }: Miss, number: number): string =>
  `${what} of statement ${number} ${holds === 'no' ? 'does not fit' : 'is not understood'}`;

const statementsOf = (document: unknown): readonly JsonObject[] | undefined => {
  if (!isObject(document) || !VERSIONS.includes(document['Version'])) return undefined;
  const { Statement: statement } = document;
  const list: readonly unknown[] = Array.isArray(statement) ? statement : [statement];
  const good = (one: unknown): one is JsonObject =>
    isObject(one) && (one['Effect'] === 'Allow' || one['Effect'] === 'Deny');
  return list.every(good) ? list : undefined;
};

/**
 * Why the service may not take the role, with all that is wrong; undefined when it may. One sentence for people.
 * @param document the trust policy as JSON has it
 * @param context the request's keys: `aws:sourcearn` and `aws:sourceaccount`
 */
export const distrust = (document: unknown, context: RequestContext): string | undefined => {
  const statements = statementsOf(document);
  if (statements === undefined) return 'its trust policy is no policy document';
  const judged = statements.map((statement, index) => {
    const misses = missesOf(statement, context);
    const words = misses.map((miss) => inWords(miss, index + 1));
    return { denies: statement['Effect'] === 'Deny', about: isAbout(misses), words, number: index + 1 };
  });
  const denials = judged
    .filter(({ denies, about }) => denies && about !== 'no')
    .map(({ about, words, number }) =>
      about === 'yes'
        ? `statement ${number} of its trust policy denies it`
        : `its trust policy may deny it: ${words.join(', ')}`,
    );
  const allows = judged.filter(({ denies }) => !denies);
  const reasons = allows.flatMap(({ words }) => words).join(', ') || 'there is none';
  const refusals = allows.some(({ about }) => about === 'yes')
    ? denials
    : [...denials, `no statement of its trust policy allows it: ${reasons}`];
  return refusals.length === 0 ? undefined : refusals.join('; ');
};
