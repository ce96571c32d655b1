/**
 * JSON over HTTP/1.1 to one API server. Not HTTP/2: in Node.js it was found to leak memory against API servers
 * (Pepr ADR 15), and with a connection of its own a silent watch holds up nothing else.
 */
import { type Dispatcher, Pool } from 'undici';
import { authorization, type KubeConfig } from './credentials.ts';
import { ApiError, apiErrorOf, connectionErrorOf } from './errors.ts';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the server's root. */
  readonly path: string;
  /** Fields that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
}

/** Requests at the same time; more wait for their turn. Watches do not count. */
const CONNECTIONS = 32;

/** Shorter than the 90 s after which API servers close idle connections, lest a request meet the closing. */
const KEEP_ALIVE_MS = 30_000;

export class Transport {
  readonly #requests: Pool;
  /** Apart from the requests, so that any number of watches leaves room for them. */
  readonly #watches: Pool;
  readonly #prefix: string;
  readonly #limitMs: number;
  readonly #authorization: () => string | undefined;

  constructor(config: KubeConfig, limitMs: number) {
    const { origin, pathname } = new URL(config.server);
    const { ca, certificate: cert, key, serverName: servername } = config;
    const connect = defined({ ca, cert, key, servername, timeout: limitMs });
    this.#requests = new Pool(origin, { connect, connections: CONNECTIONS, keepAliveTimeout: KEEP_ALIVE_MS });
    this.#watches = new Pool(origin, { connect });
    this.#prefix = pathname.replace(/\/$/, '');
    this.#limitMs = limitMs;
    this.#authorization = authorization(config);
  }

  /** The answer to a request. @throws ApiError, ConnectionError */
  async call<A>(request: Request): Promise<A> {
    const signal = AbortSignal.timeout(this.#limitMs);
    return attempt(`${request.method} ${request.path}`, async (what) => {
      const response = await this.#requests.request({ ...this.#options(request), signal });
      const body = await accepted(response, what);
      return JSON.parse(await body.text()) as A;
    });
  }

  /**
   * The bytes of an answer that has no end of its own; resolves when the server has accepted the request.
   * @param limits bytes may stay away for `idleMs`; `signal` ends it
   * @throws ApiError, ConnectionError
   */
  async stream(
    request: Request,
    limits: { readonly idleMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<AsyncIterable<Buffer>> {
    return attempt(`watch ${request.path}`, async (what) => {
      const response = await this.#watches.request({
        ...this.#options(request),
        headersTimeout: this.#limitMs,
        bodyTimeout: limits.idleMs,
        signal: limits.signal ?? null,
      });
      return accepted(response, what);
    });
  }

  /** Ends everything under way and drops all connections. */
  async close(): Promise<void> {
    await Promise.all([this.#requests.destroy(), this.#watches.destroy()]);
  }

  #options({ method, path, query = {}, body, contentType = 'application/json' }: Request) {
    return {
      method,
      path: this.#prefix + path,
      query: defined(query),
      headers: defined({
        accept: 'application/json',
        'user-agent': 'cloister',
        'content-type': body === undefined ? undefined : contentType,
        authorization: this.#authorization(),
      }),
      body: body === undefined ? null : JSON.stringify(body),
    };
  }
}

/** Has everything but a refusal thrown as a ConnectionError. */
const attempt = async <A>(what: string, send: (what: string) => Promise<A>): Promise<A> => {
  try {
    return await send(what);
  } catch (cause) {
    throw cause instanceof ApiError ? cause : connectionErrorOf(what, cause);
  }
};

/** The body of a response that is no refusal. @throws ApiError */
const accepted = async (
  { statusCode, headers, body }: Dispatcher.ResponseData,
  what: string,
): Promise<Dispatcher.ResponseData['body']> => {
  if (statusCode < 400) return body;
  const retryAfter = headers['retry-after'];
  throw apiErrorOf(what, statusCode, await body.text(), [retryAfter].flat()[0]);
};

const defined = <V>(fields: Readonly<Record<string, V | undefined>>): Record<string, V> =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, V] => entry[1] !== undefined));
