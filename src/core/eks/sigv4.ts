/**
 * Signature Version 4 as a server sees it: what a request says about its signature, and whether it may be
 * believed before anything is computed. Errors are the ones that AWS services answer.
 * Source: AWS documentation "Create a signed AWS API request", "Troubleshoot Signature Version 4 signing".
 */
import type { Refusal } from './errors.ts';

/** A request in the form in which it is signed. Nothing has been decoded but what the form requires. */
export interface SignedRequest {
  readonly method: string;
  /** As received, without the query. */
  readonly path: string;
  /** Decoded names and values. */
  readonly query: Readonly<Record<string, readonly string[]>>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a request says about its signature. */
export interface Claim {
  readonly form: 'header' | 'query';
  readonly accessKeyId: string;
  /** Day, region and service of the credential scope. */
  readonly scope: { readonly date: string; readonly region: string; readonly service: string };
  /** When it was signed, `20260102T030405Z`. */
  readonly signedAt: string;
  /** How long it is valid from then on, in seconds; undefined for the header form. */
  readonly expiresIn?: number;
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits. */
  readonly signature: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const TERMINATOR = 'aws4_request';
/** How far the clocks of caller and server may differ, and so how long a signature can be replayed. */
const WINDOW_MS = 5 * 60_000;
/** Longest validity of the query form, seconds: a week. */
const LONGEST_EXPIRY = 604_800;

const refuse = (type: Refusal['type'], message: string): Refusal => ({ type, message });

const incomplete = (message: string): Refusal => refuse('IncompleteSignatureException', message);

const single = (values: readonly string[] | undefined): string | undefined =>
  values?.length === 1 ? values[0] : undefined;

/** `Credential=…, SignedHeaders=…, Signature=…` */
const parseAuthorization = (text: string): ReadonlyMap<string, string> | undefined => {
  const [algorithm = '', ...rest] = text.trim().split(/ +/);
  if (algorithm !== ALGORITHM) return undefined;
  const parts = rest.join(' ').split(',');
  const pairs = parts.map((part): [string, string] => {
    const [name = '', ...value] = part.trim().split('=');
    return [name, value.join('=')];
  });
  const map = new Map(pairs);
  return map.size === pairs.length ? map : undefined;
};

/** Query parameters of the presigned form. */
export const PRESIGNED = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
] as const;

const presignedNames = new Set<string>(PRESIGNED.map((name) => name.toLowerCase()));

/**
 * Reads the claim. Whatever could be read in two ways is refused: both forms at once, parameters given twice or
 * in another case, headers of the protocol that are not signed.
 */
export const claimOf = (request: SignedRequest): Claim | Refusal => {
  const authorization = request.headers['authorization'];
  const inQuery = Object.keys(request.query).filter((name) => presignedNames.has(name.toLowerCase()));
  if (authorization === undefined && inQuery.length === 0)
    return refuse('MissingAuthenticationTokenException', 'Missing Authentication Token');
  if (authorization !== undefined && inQuery.length > 0)
    return incomplete('A request is signed by its Authorization header or by its query, and not by both.');
  return authorization === undefined ? fromQuery(request, inQuery) : fromHeader(request, authorization);
};

const fromHeader = (request: SignedRequest, authorization: string): Claim | Refusal => {
  const parts = parseAuthorization(authorization);
  if (parts === undefined) return incomplete(`Authorization header requires the algorithm ${ALGORITHM}.`);
  const names = ['Credential', 'SignedHeaders', 'Signature'] as const;
  const missing = names.find((name) => !parts.get(name));
  if (missing !== undefined) return incomplete(`Authorization header requires '${missing}' parameter.`);
  const signedAt = request.headers['x-amz-date'];
  if (signedAt === undefined)
    return incomplete("Authorization header requires existence of the 'X-Amz-Date' header.");
  const token = request.headers['x-amz-security-token'];
  return claim(request, {
    form: 'header',
    credential: parts.get('Credential') ?? '',
    signedAt,
    signedHeaders: parts.get('SignedHeaders') ?? '',
    signature: parts.get('Signature') ?? '',
    ...(token === undefined ? {} : { sessionToken: token }),
  });
};

const fromQuery = (request: SignedRequest, present: readonly string[]): Claim | Refusal => {
  const odd = present.find((name) => !(PRESIGNED as readonly string[]).includes(name));
  if (odd !== undefined) return incomplete(`Query parameter ${odd} is not written as AWS writes it.`);
  const value = (name: (typeof PRESIGNED)[number]): string | undefined => single(request.query[name]);
  const missing = PRESIGNED.slice(0, -1).find((name) => !value(name));
  if (missing !== undefined) return incomplete(`AWS query-string parameters must include '${missing}'.`);
  if (value('X-Amz-Algorithm') !== ALGORITHM)
    return incomplete(`Query parameter X-Amz-Algorithm must be ${ALGORITHM}.`);
  const expires = value('X-Amz-Expires') ?? '';
  if (!/^\d{1,6}$/.test(expires) || Number(expires) > LONGEST_EXPIRY)
    return incomplete(`X-Amz-Expires must be a number of seconds up to ${LONGEST_EXPIRY}.`);
  const sessionToken = request.query['X-Amz-Security-Token'];
  if (sessionToken !== undefined && single(sessionToken) === undefined)
    return incomplete('X-Amz-Security-Token must be given once.');
  return claim(request, {
    form: 'query',
    credential: value('X-Amz-Credential') ?? '',
    signedAt: value('X-Amz-Date') ?? '',
    signedHeaders: value('X-Amz-SignedHeaders') ?? '',
    signature: value('X-Amz-Signature') ?? '',
    expiresIn: Number(expires),
    ...(sessionToken === undefined ? {} : { sessionToken: sessionToken[0] as string }),
  });
};

interface Parts {
  readonly form: Claim['form'];
  readonly credential: string;
  readonly signedAt: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly expiresIn?: number;
  readonly sessionToken?: string;
}

const claim = (request: SignedRequest, parts: Parts): Claim | Refusal => {
  const { credential, signedHeaders, ...rest } = parts;
  const scope = /^([A-Za-z0-9_]{16,128})\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/(\w+)$/.exec(credential);
  if (scope === null)
    return incomplete(
      `Credential must have the form <key>/<date>/<region>/<service>/${TERMINATOR}, and not '${credential.slice(0, 200)}'.`,
    );
  const [, accessKeyId = '', date = '', region = '', service = '', terminator] = scope;
  if (terminator !== TERMINATOR)
    return invalidSignature(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`);
  if (timeOf(rest.signedAt) === undefined)
    return incomplete(`Date must be in ISO-8601 'basic format'. Got '${rest.signedAt.slice(0, 40)}'.`);
  if (!/^[0-9a-f]{64}$/.test(rest.signature))
    return incomplete('Signature must be 64 hexadecimal digits in lower case.');
  const headers = signedHeaders.split(';');
  const unsigned = mustBeSigned(request, rest.form).find((name) => !headers.includes(name));
  if (unsigned !== undefined)
    return incomplete(`'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`);
  if (
    new Set(headers).size !== headers.length ||
    !headers.every((name) => Object.hasOwn(request.headers, name))
  )
    return incomplete('SignedHeaders must name headers of the request, in lower case and each once.');
  return { ...rest, accessKeyId, scope: { date, region, service }, signedHeaders: headers };
};

/** The host, and everything that the protocol itself reads. */
const mustBeSigned = ({ headers }: SignedRequest, form: Claim['form']): readonly string[] => [
  'host',
  ...Object.keys(headers).filter((name) => name.startsWith('x-amz-')),
  ...(form === 'header' && headers['x-amz-date'] === undefined ? ['x-amz-date'] : []),
];

const invalidSignature = (message: string): Refusal => refuse('InvalidSignatureException', message);

/** Milliseconds since 1970 of `20260102T030405Z`; undefined when it is no such time. */
export const timeOf = (text: string): number | undefined => {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) || basic(time) !== text ? undefined : time;
};

/** The other direction of `timeOf`. */
export const basic = (time: number): string => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');

/**
 * Whether scope and time of a claim are acceptable; undefined when they are.
 * @param now milliseconds since 1970
 */
export const refuseClaim = (
  { scope, signedAt, expiresIn, form }: Claim,
  expected: { readonly region: string; readonly service: string },
  now: number,
): Refusal | undefined => {
  if (scope.service !== expected.service)
    return invalidSignature(`Credential should be scoped to correct service: '${expected.service}'.`);
  if (scope.region !== expected.region)
    return invalidSignature(
      `Credential should be scoped to a valid region, not '${scope.region}': use '${expected.region}'.`,
    );
  if (scope.date !== signedAt.slice(0, 8))
    return invalidSignature(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${scope.date}' != '${signedAt.slice(0, 8)}', from '${signedAt}'.`,
    );
  const time = timeOf(signedAt) ?? Number.NaN;
  if (time > now + WINDOW_MS)
    return invalidSignature(
      `Signature not yet current: ${signedAt} is still later than ${basic(now + WINDOW_MS)} (${basic(now)} + 5 min.)`,
    );
  const lifeMs = form === 'header' ? WINDOW_MS : (expiresIn ?? 0) * 1000;
  if (time + lifeMs >= now) return undefined;
  return form === 'header'
    ? invalidSignature(
        `Signature expired: ${signedAt} is now earlier than ${basic(now - WINDOW_MS)} (${basic(now)} - 5 min.)`,
      )
    : invalidSignature(
        `Signature expired: ${signedAt} was valid for ${expiresIn} s, and now it is ${basic(now)}`,
      );
};
