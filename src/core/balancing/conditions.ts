/** What else requests for a backend must have, by annotations `conditions.NAME` (AWS Load Balancer Controller). */
import type { IngressBackend } from 'kubernetes-types/networking/v1.js';
import { isObject, type JsonObject, parseJson } from '../json.ts';
import { ALB_CONDITIONS } from './annotations.ts';
import type { StoredIngress } from './claims.ts';
import type { Condition } from './model.ts';
import { isRange } from './sources.ts';

/** Hosts and paths add to those of the rule; everything else is asked for besides. */
export interface ConditionSpec {
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  readonly conditions: readonly Condition[];
}

const NONE: ConditionSpec = { hosts: [], paths: [], conditions: [] };

/** Longest pattern that the original takes, in characters (AWS "Condition types for listener rules"). */
export const PATTERN_MOST = 128;

const patternOf = (characters: string): RegExp => new RegExp(`^[${characters}]{1,${PATTERN_MOST}}$`);

/** What a part of a URL may have, with wildcards. */
const PRINTABLE = patternOf('\\x21-\\x7e');
const HEADER = patternOf('\\x20-\\x7e');
const HOST = patternOf('A-Za-z0-9.*?-');
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

const textsOf = (value: unknown, form: RegExp): readonly string[] | undefined => {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const texts: readonly unknown[] = value;
  return texts.every((one) => typeof one === 'string' && form.test(one)) ? (texts as string[]) : undefined;
};

const pairOf = (value: unknown): { readonly key?: string; readonly value: string } | undefined => {
  if (!isObject(value) || typeof value['value'] !== 'string' || !PRINTABLE.test(value['value']))
    return undefined;
  const { key } = value;
  if (key === undefined || key === '') return { value: value['value'] };
  return typeof key === 'string' && PRINTABLE.test(key) ? { key, value: value['value'] } : undefined;
};

const READERS: Readonly<Record<string, (json: JsonObject) => Partial<ConditionSpec> | undefined>> = {
  'host-header': ({ hostHeaderConfig: config }) => {
    const hosts = isObject(config) ? textsOf(config['values'], HOST) : undefined;
    return hosts && { hosts };
  },
  'path-pattern': ({ pathPatternConfig: config }) => {
    const paths = isObject(config) ? textsOf(config['values'], PRINTABLE) : undefined;
    return paths && { paths };
  },
  'http-header': ({ httpHeaderConfig: config }) => {
    if (!isObject(config)) return undefined;
    const { httpHeaderName: name, values } = config;
    const patterns = textsOf(values, HEADER);
    if (typeof name !== 'string' || !TOKEN.test(name) || patterns === undefined) return undefined;
    return { conditions: [{ kind: 'header', name, patterns }] };
  },
  'http-request-method': ({ httpRequestMethodConfig: config }) => {
    const methods = isObject(config) ? textsOf(config['values'], TOKEN) : undefined;
    return methods && { conditions: [{ kind: 'method', methods }] };
  },
  'query-string': ({ queryStringConfig: config }) => {
    const values = isObject(config) && Array.isArray(config['values']) ? config['values'].map(pairOf) : [];
    const pairs = values.filter((one) => one !== undefined);
    return pairs.length === 0 || pairs.length < values.length
      ? undefined
      : { conditions: [{ kind: 'query', pairs }] };
  },
  'source-ip': ({ sourceIpConfig: config }) => {
    const ranges = isObject(config) ? textsOf(config['values'], PRINTABLE) : undefined;
    return ranges?.every(isRange) ? { conditions: [{ kind: 'source', ranges }] } : undefined;
  },
};

/** Twice the original's limit; a line of HAProxy's takes 64 words. */
const MOST = 10;

const conditionsIn = (text: string): ConditionSpec | undefined => {
  const list = parseJson(text);
  if (!Array.isArray(list) || list.length > MOST) return undefined;
  const read = list.map((one: unknown) => (isObject(one) ? READERS[String(one['field'])]?.(one) : undefined));
  const found = read.filter((one) => one !== undefined);
  if (found.length < read.length) return undefined;
  return {
    hosts: found.flatMap(({ hosts = [] }) => hosts),
    paths: found.flatMap(({ paths = [] }) => paths),
    conditions: found.flatMap(({ conditions = [] }) => conditions),
  };
};

/** What the annotation of a backend's name asks for. With a problem nobody is to reach the backend. */
export const conditionsOf = (
  { metadata }: StoredIngress,
  backend: IngressBackend,
): { readonly spec: ConditionSpec; readonly problem: string | undefined } => {
  const key = `${ALB_CONDITIONS}${backend.service?.name}`;
  const text = metadata.annotations?.[key];
  if (text === undefined) return { spec: NONE, problem: undefined };
  const spec = conditionsIn(text);
  const problem = `the annotation ${key} is ${JSON.stringify(text)} and must be a JSON list of conditions, as the AWS Load Balancer Controller documents them`;
  return spec === undefined ? { spec: NONE, problem } : { spec, problem: undefined };
};
