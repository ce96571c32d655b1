/** Requests and answers of the API as HTTP has them. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, isRefusal, type Refusal, statusOf } from '../core/eks/errors.ts';
import { isDeeperThan } from '../core/eks/nesting.ts';
import { type PageOf, pageOf } from '../core/eks/page.ts';
import type { SignedRequest } from '../core/eks/sigv4.ts';
import type { Principal } from './authenticate.ts';
import { parseTarget } from './sigv4.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Such as `eks:DescribeCluster`; routes without one look after their callers themselves. */
    action?: string;
  }
  interface FastifyRequest {
    principal: Principal | null;
    /** What the audit line says of the request. */
    audit: Record<string, unknown>;
  }
}

/** The request as it was signed; undefined when its target cannot be read in exactly one way. */
export const signedRequest = (request: FastifyRequest): SignedRequest | undefined => {
  const target = parseTarget(request.raw.url ?? '/');
  if (target === undefined) return undefined;
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : (value ?? ''),
    ]),
  );
  return { method: request.method, ...target, headers };
};

/** Sends a refusal as REST-JSON. */
export const sendRefusal = (reply: FastifyReply, refusal: Refusal): FastifyReply => {
  const { retryAfterMs } = refusal as { readonly retryAfterMs?: number };
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
  return reply
    .code(statusOf(refusal.type))
    .header('x-amzn-errortype', refusal.type)
    .type('application/json')
    .serializer(JSON.stringify)
    .send(errorBody(refusal));
};

/** The body of a request that no route has looked at yet. */
export const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

/** Deepest body: several times what any request needs, and nothing that a recursion would mind. */
const DEEPEST = 32;

/** The JSON of a body; undefined for none. @throws RefusedError when it is no JSON, or nested too deeply */
export const parseBody = (body: unknown): unknown => {
  const bytes = bytesOf(body);
  if (bytes.length === 0) return undefined;
  const value = parsed(bytes.toString('utf8'));
  if (isDeeperThan(value, DEEPEST)) throw unreadable(`is nested more than ${DEEPEST} levels deep.`);
  return value;
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(`is no JSON: ${(cause as Error).message}`);
  }
};

const unreadable = (why: string): RefusedError =>
  new RefusedError({ type: 'SerializationException', message: `The body ${why}` });

/** The one value of a query parameter; the last one when there are several, as AWS's own parser takes it. */
export const parameter = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.at(-1);

/** What the query of a list may say. */
interface Paging {
  readonly maxResults?: string | readonly string[];
  readonly nextToken?: string | readonly string[];
}

/** The page of a list that a query asks for. @throws RefusedError */
export const pageFor = <T>(
  list: string,
  all: readonly T[],
  nameOf: (item: T) => string,
  { maxResults, nextToken }: Paging,
): PageOf<T> =>
  orRefuse(pageOf(list, all, nameOf, { maxResults: parameter(maxResults), nextToken: parameter(nextToken) }));

/** A refusal on its way to the caller; the error handler sends it. */
export class RefusedError extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = 'RefusedError';
    this.refusal = refusal;
  }
}

/** The outcome, unless it is a refusal. @throws RefusedError */
export const orRefuse = <T extends object>(outcome: T | Refusal): T => {
  if (isRefusal(outcome)) throw new RefusedError(outcome);
  return outcome;
};
