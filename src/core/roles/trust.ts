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

/** Whether a statement is about the request, and what decided that. */
interface About {
  readonly holds: Holds;
  readonly what: string;
}

const judgeStatement = (statement: JsonObject, context: RequestContext): About => {
  const strange = Object.keys(statement).find((member) => !KNOWN.has(member));
  const conditions = judgeConditions(statement['Condition'], context);
  const parts: readonly About[] = [
    { holds: judgePrincipal(statement['Principal']), what: 'Principal' },
    { holds: judgeAction(statement['Action']), what: 'Action' },
    { holds: conditions.holds, what: `Condition ${conditions.where}` },
    { holds: strange === undefined ? 'yes' : 'unknown', what: strange ?? '' },
  ];
  return (
    parts.find(({ holds }) => holds === 'no') ??
    parts.find(({ holds }) => holds === 'unknown') ?? { holds: 'yes', what: '' }
  );
};

const statementsOf = (document: unknown): readonly JsonObject[] | undefined => {
  if (!isObject(document) || !VERSIONS.includes(document['Version'])) return undefined;
  const { Statement: statement } = document;
  const list: readonly unknown[] = Array.isArray(statement) ? statement : [statement];
  const good = (one: unknown): one is JsonObject =>
    isObject(one) && (one['Effect'] === 'Allow' || one['Effect'] === 'Deny');
  return list.every(good) ? list : undefined;
};

/**
 * Why the service may not take the role; undefined when it may. One sentence for people.
 * @param document the trust policy as JSON has it
 * @param context the request's keys: `aws:sourcearn` and `aws:sourceaccount`
 */
export const distrust = (document: unknown, context: RequestContext): string | undefined => {
  const statements = statementsOf(document);
  if (statements === undefined) return 'its trust policy is no policy document';
  const judged = statements.map((statement, index) => ({
    ...judgeStatement(statement, context),
    denies: statement['Effect'] === 'Deny',
    number: index + 1,
  }));
  const denial = judged.find(({ denies, holds }) => denies && holds !== 'no');
  if (denial !== undefined)
    return denial.holds === 'yes'
      ? `statement ${denial.number} of its trust policy denies it`
      : `statement ${denial.number} of its trust policy may deny it: ${denial.what} is not understood`;
  if (judged.some(({ denies, holds }) => !denies && holds === 'yes')) return undefined;
  const misses = judged
    .filter(({ denies }) => !denies)
    .map(
      ({ number, what, holds }) =>
        `${what} of statement ${number} ${holds === 'no' ? 'does not fit' : 'is not understood'}`,
    );
  return `no statement of its trust policy allows it: ${misses.join(', ') || 'there is none'}`;
};
