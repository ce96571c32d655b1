/** The two ways in which a request fails: the API server says no, or no usable answer arrives. */
import type { Status } from 'kubernetes-types/meta/v1.js';
import { errors } from 'undici';

/** The API server refused a request. Decide by `status` and `reason`, never by the message. */
export class ApiError extends Error {
  /** HTTP status code. */
  readonly status: number;
  /** `Status.reason`, such as `NotFound`, `Conflict` or `Expired`; `Unknown` when the answer was no Status. */
  readonly reason: string;
  /** What the server asks to wait before trying again, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    fields: { status: number; reason: string; retryAfterMs?: number | undefined },
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

/** No usable answer: `broken` connection, `late` answer, or a watch that went `silent`. */
export class ConnectionError extends Error {
  readonly kind: 'broken' | 'late' | 'silent';

  constructor(kind: ConnectionError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionError';
    this.kind = kind;
  }
}

const hasReason = (error: unknown, status: number, reason: string): boolean =>
  error instanceof ApiError && error.status === status && error.reason === reason;

/** The object does not exist. */
export const isNotFound = (error: unknown): boolean => hasReason(error, 404, 'NotFound');

/** The server knows no such kind: its answer is a 404 that is no Status. */
const isKindAbsent = (error: unknown): boolean => hasReason(error, 404, 'Unknown');

/** What the call gives, or undefined when what it is about does not exist; any other error is thrown on. */
export const orNothing = async <T>(call: Promise<T>): Promise<T | undefined> => {
  try {
    return await call;
  } catch (cause) {
    if (isNotFound(cause)) return undefined;
    throw cause;
  }
};

/** The object was changed since it was read, or a precondition such as its uid no longer holds. */
export const isConflict = (error: unknown): boolean => hasReason(error, 409, 'Conflict');

/** The server will not do it, however often it is asked: a policy, a webhook or the object itself is against it. */
export const isRefusal = (error: unknown): error is ApiError =>
  error instanceof ApiError && [400, 403, 422].includes(error.status);

/** An object of that name exists. */
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 409, 'AlreadyExists');

/** The resourceVersion or list continuation is too old: list again. The reason is `Expired` or `Gone`. */
export const isExpired = (error: unknown): boolean => error instanceof ApiError && error.status === 410;

/**
 * The server cannot read the request, such as a resourceVersion or continuation that one of another version gave in
 * whose place it came.
 */
export const isMalformed = (error: unknown): boolean => error instanceof ApiError && error.status === 400;

/** The credentials lack a permission. */
export const isForbidden = (error: unknown): boolean => error instanceof ApiError && error.status === 403;

const asStatus = (body: unknown): Status | undefined =>
  typeof body === 'object' && body !== null && (body as Status).kind === 'Status'
    ? (body as Status)
    : undefined;

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy in between answers in HTML or plain text; `apiErrorOf` quotes it
  }
};

/** The error that an ERROR event of a watch carries. `what` names the request. */
export const apiErrorOfStatus = (what: string, status: Status): ApiError => {
  const seconds = status.details?.retryAfterSeconds;
  return new ApiError(`${what}: ${status.message ?? status.reason ?? `status ${status.code}`}`, {
    status: status.code ?? 500,
    reason: status.reason ?? 'Unknown',
    retryAfterMs: seconds === undefined ? undefined : seconds * 1000,
  });
};

/**
 * The error that an answer of status 400 or more carries.
 * @param retryAfter the header of that name, in whole seconds
 */
export const apiErrorOf = (
  what: string,
  code: number,
  text: string,
  retryAfter: string | undefined,
): ApiError => {
  const status = asStatus(parsed(text)) ?? { message: `${code} ${text.trim().slice(0, 200)}` };
  const header = Number(retryAfter ?? Number.NaN);
  const seconds = status.details?.retryAfterSeconds ?? (Number.isFinite(header) ? header : undefined);
  return apiErrorOfStatus(what, {
    ...status,
    code,
    details: { ...status.details, ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) },
  });
};

/** The error for whatever kept an answer from arriving. `what` names the request. */
export const connectionErrorOf = (what: string, cause: unknown): ConnectionError => {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof errors.BodyTimeoutError)
    return new ConnectionError('silent', `${what}: not a byte arrived in time`, { cause });
  const late =
    cause instanceof errors.HeadersTimeoutError ||
    cause instanceof errors.ConnectTimeoutError ||
    (cause instanceof DOMException && cause.name === 'TimeoutError');
  if (late) return new ConnectionError('late', `${what}: no answer in time`, { cause });
  return new ConnectionError('broken', `${what}: ${message}`, { cause });
};

/** What the list gives, or nothing where the server knows no such kind; any other error is thrown on. */
export const orNone = async <T>(list: Promise<readonly T[]>): Promise<readonly T[]> => {
  try {
    return await list;
  } catch (cause) {
    if (isKindAbsent(cause)) return [];
    throw cause;
  }
};
