/** What backends of Ingresses do with a request, by annotations `actions.NAME` (AWS Load Balancer Controller). */
import type { IngressBackend } from 'kubernetes-types/networking/v1.js';
import { isObject, type JsonObject, parseJson } from '../json.ts';
import { ALB_ACTIONS } from './annotations.ts';
import type { StoredIngress } from './claims.ts';
import type { Redirect, Respond } from './model.ts';

/** Sends requests to backends, before anybody looks for their pools. */
export interface ForwardSpec {
  readonly kind: 'forward';
  readonly to: readonly { readonly backend: IngressBackend; readonly share: number }[];
}

/** Sends clients elsewhere; what is not said stays as it is. */
export type RedirectSpec = Pick<Redirect, 'kind' | 'status' | 'host' | 'path' | 'query'> & {
  readonly scheme: Redirect['scheme'] | undefined;
  readonly port: number | undefined;
};

export type ActionSpec = ForwardSpec | RedirectSpec | Respond;

/** An action, and why it is not the one that was meant. */
export interface ActionOutcome {
  readonly action: ActionSpec;
  readonly problem: string | undefined;
}

/** Port of a backend whose name is that of an annotation, and of no Service. */
const USE_ANNOTATION = 'use-annotation';

/** Answers as the original does where something is missing. */
export const respond = (status: number, body: string): Respond => ({
  kind: 'respond',
  status,
  contentType: 'text/plain',
  body,
});

/** What is answered where nobody knows what is to be done, or for whom a rule is. */
export const NOWHERE = respond(503, 'Backend action does not exist');

/** Sends clients to where they are, but for what is said besides. */
export const stayingRedirect = (status: Redirect['status']) =>
  ({ kind: 'redirect', status, host: '#{host}', path: '/#{path}', query: '#{query}' }) as const;

/** What may stand in a URL (RFC 3986, 2). */
const URL_PART = /^[\w\-.~:/?[\]@!$&'()*+,;=%]*$/;

/** Without the placeholders of the original, which may stand anywhere. */
const isPlain = (value: unknown, form: RegExp): value is string =>
  typeof value === 'string' && form.test(value.replaceAll(/#\{(host|path|query)\}/g, ''));

const SCHEMES = new Map<unknown, Redirect['scheme'] | undefined>([
  ['HTTP', 'http'],
  ['HTTPS', 'https'],
  ['#{protocol}', undefined],
]);
const STATUSES = new Map<unknown, Redirect['status']>([
  ['HTTP_301', 301],
  ['HTTP_302', 302],
]);

const redirectOf = (json: JsonObject): RedirectSpec | undefined => {
  const { protocol = '#{protocol}', host = '#{host}', port = '#{port}' } = json;
  const { path = '/#{path}', query = '#{query}', statusCode } = json;
  const status = STATUSES.get(statusCode);
  const number = port === '#{port}' ? undefined : Number(port);
  if (status === undefined || !SCHEMES.has(protocol)) return undefined;
  if (number !== undefined && !(Number.isInteger(number) && number >= 1 && number <= 65_535))
    return undefined;
  if (!isPlain(host, /^[a-z0-9.-]*$/i) || !isPlain(path, URL_PART) || !isPlain(query, URL_PART))
    return undefined;
  if (host === '' || !path.startsWith('/')) return undefined;
  return { kind: 'redirect', status, scheme: SCHEMES.get(protocol), port: number, host, path, query };
};

const CONTENT_TYPES = ['text/plain', 'text/css', 'text/html', 'application/javascript', 'application/json'];

/** What no line of text has. */
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

const respondOf = (json: JsonObject): Respond | undefined => {
  const { statusCode, contentType = 'text/plain', messageBody: body = '' } = json;
  if (typeof contentType !== 'string' || !CONTENT_TYPES.includes(contentType)) return undefined;
  if (typeof body !== 'string' || body.length > 1024 || CONTROLS.test(body)) return undefined;
  if (!/^[245]\d\d$/.test(`${statusCode}`)) return undefined;
  return { kind: 'respond', status: Number(statusCode), contentType, body };
};

const groupOf = (json: unknown): ForwardSpec['to'][number] | undefined => {
  if (!isObject(json)) return undefined;
  const { serviceName: name, servicePort: port, weight: share = 1 } = json;
  if (typeof name !== 'string' || typeof share !== 'number' || !(share >= 0 && share <= 999))
    return undefined;
  if (typeof port !== 'string' && typeof port !== 'number') return undefined;
  const numbered = /^\d{1,5}$/.test(`${port}`);
  const backend = { service: { name, port: numbered ? { number: Number(port) } : { name: `${port}` } } };
  return { backend, share };
};

const forwardOf = (json: JsonObject): ForwardSpec | undefined => {
  const groups = Array.isArray(json['targetGroups']) ? json['targetGroups'].map(groupOf) : [];
  const to = groups.filter((one) => one !== undefined);
  const sum = to.reduce((all, { share }) => all + share, 0);
  return to.length < groups.length || sum === 0 ? undefined : { kind: 'forward', to };
};

const PARSERS: Readonly<
  Record<string, readonly [config: string, parse: (json: JsonObject) => ActionSpec | undefined]>
> = {
  forward: ['forwardConfig', forwardOf],
  redirect: ['redirectConfig', redirectOf],
  'fixed-response': ['fixedResponseConfig', respondOf],
};

/** Reads an annotation; undefined when it makes no sense. The original takes keys of either case at the beginning. */
const actionIn = (text: string): ActionSpec | undefined => {
  const json = lowered(parseJson(text));
  if (!isObject(json)) return undefined;
  const [config, parse] = PARSERS[String(json['type'])] ?? [];
  const given = config === undefined ? undefined : json[config];
  return parse !== undefined && isObject(given) ? parse(given) : undefined;
};

const lowered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(lowered);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key.charAt(0).toLowerCase() + key.slice(1), lowered(one)]),
  );
};

/** What the annotation says that is named as a backend is. */
const annotated = ({ metadata }: StoredIngress, name: string): ActionOutcome => {
  const key = `${ALB_ACTIONS}${name}`;
  const text = metadata.annotations?.[key];
  if (text === undefined) return { action: NOWHERE, problem: `there is no annotation ${key}: write it` };
  const action = actionIn(text);
  const problem = `the annotation ${key} is ${JSON.stringify(text)} and must be JSON of the types forward (to Services), redirect or fixed-response, as the AWS Load Balancer Controller documents them`;
  return action === undefined ? { action: NOWHERE, problem } : { action, problem: undefined };
};

/** The backends that stand in an Ingress. */
const namedBackends = ({ spec }: StoredIngress): readonly IngressBackend[] => [
  ...(spec?.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend)),
  ...(spec?.defaultBackend === undefined ? [] : [spec.defaultBackend]),
];

/** What each of the backends that stand in an Ingress does. */
export type Actions = ReadonlyMap<IngressBackend, ActionOutcome>;

/** Reads what backends do: what the annotation of their name says, or else they are Services. */
export const actionsOf = (ingress: StoredIngress): Actions => {
  const known = new Map<string, ActionOutcome>();
  const outcomeOf = (backend: IngressBackend): ActionOutcome => {
    const { name = '', port } = backend.service ?? {};
    if (port?.name !== USE_ANNOTATION)
      return { action: { kind: 'forward', to: [{ backend, share: 1 }] }, problem: undefined };
    const outcome = known.get(name) ?? annotated(ingress, name);
    known.set(name, outcome);
    return outcome;
  };
  return new Map(namedBackends(ingress).map((backend) => [backend, outcomeOf(backend)]));
};

/** The Services that requests are sent to, as backends. */
export const servicesIn = (actions: Actions): readonly IngressBackend[] =>
  [...actions.values()].flatMap(({ action }) =>
    action.kind === 'forward' ? action.to.map(({ backend }) => backend) : [],
  );
