/** Signed requests by hand, for what no AWS client would send, and the client's own schemas as a judge. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { NormalizedSchema } from '@smithy/core/schema';
import { Hash } from '@smithy/hash-node';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import { REGION } from './support.ts';

export interface Raw {
  readonly method: string;
  /** As it goes over the wire, escaped. */
  readonly path: string;
  readonly query?: Record<string, string | string[]>;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export interface Signing {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly service?: string;
  readonly region?: string;
  readonly date?: Date;
  /** Seconds; signs the query instead of headers. */
  readonly presign?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** The request as it goes out, with its signature. */
export const sign = async (base: string, raw: Raw, signing: Signing): Promise<HttpRequest> => {
  const { accessKeyId, secretAccessKey, sessionToken, service = 'eks', region = REGION } = signing;
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    region,
    service,
    sha256: Hash.bind(null, 'sha256'),
  });
  const { host, hostname, port } = new URL(base);
  const unsigned = new HttpRequest({
    protocol: 'http:',
    hostname,
    port: Number(port),
    method: raw.method,
    path: raw.path,
    query: raw.query ?? {},
    headers: { host, ...raw.headers },
    ...(raw.body === undefined ? {} : { body: raw.body }),
  });
  const options = signing.date === undefined ? {} : { signingDate: signing.date };
  const signed =
    signing.presign === undefined
      ? await signer.sign(unsigned, options)
      : await signer.presign(unsigned, { ...options, expiresIn: signing.presign });
  return signed as HttpRequest;
};

const escape = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Path and query of a request as they go over the wire. */
export const target = ({ path, query }: Pick<HttpRequest, 'path' | 'query'>): string => {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => `${escape(name)}=${escape(value)}`),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
};

/** Sends something that may or may not be well signed, byte for byte. */
export const send = async (
  base: string,
  {
    method,
    url,
    headers,
    body,
  }: { method: string; url: string; headers: Record<string, string>; body?: string },
): Promise<Answer> => {
  const { hostname, port } = new URL(base);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path: url, headers, agent: AGENT }, resolve);
    outgoing.once('error', reject);
    outgoing.end(body);
  });
  const content = await text(answer);
  const isJson = (answer.headers['content-type'] ?? '').includes('json');
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text: content,
    json: isJson ? (JSON.parse(content) as Record<string, unknown>) : {},
  };
};

const AGENT = new Agent({ keepAlive: true, maxSockets: 64 });

/** Signs and sends. */
export const call = async (base: string, raw: Raw, signing: Signing): Promise<Answer> => {
  const signed = await sign(base, raw, signing);
  return send(base, {
    method: signed.method,
    url: target(signed),
    headers: signed.headers,
    ...(raw.body === undefined ? {} : { body: raw.body }),
  });
};

/**
 * What of a JSON value does not fit a schema of the client: members that it does not know, and values of other
 * types. Null stands for an absent member.
 * @param required names of structures of which every member must be there
 */
export const misfits = (
  schema: unknown,
  value: unknown,
  required: readonly string[] = [],
  path = '$',
): readonly string[] => {
  const ns = NormalizedSchema.of(schema as Parameters<typeof NormalizedSchema.of>[0]);
  if (value === null || value === undefined) return [];
  const wrong = (what: string): readonly string[] => [`${path} is no ${what}: ${JSON.stringify(value)}`];
  if (ns.isStructSchema()) {
    if (typeof value !== 'object') return wrong('structure');
    const members = new Map([...ns.structIterator()]);
    const unknown = Object.keys(value).filter((name) => !members.has(name));
    const name = ns.getName(false) ?? '';
    const absent = required.includes(name) ? [...members.keys()].filter((key) => !(key in value)) : [];
    return [
      ...unknown.map((key) => `${path}.${key} is unknown to ${name}`),
      ...absent.map((key) => `${path}.${key} of ${name} is missing`),
      ...Object.entries(value).flatMap(([key, inner]) =>
        members.has(key) ? misfits(members.get(key), inner, required, `${path}.${key}`) : [],
      ),
    ];
  }
  if (ns.isListSchema()) {
    if (!Array.isArray(value)) return wrong('list');
    return value.flatMap((item, index) => misfits(ns.getValueSchema(), item, required, `${path}[${index}]`));
  }
  if (ns.isMapSchema()) {
    if (typeof value !== 'object' || Array.isArray(value)) return wrong('map');
    return Object.entries(value).flatMap(([key, inner]) =>
      misfits(ns.getValueSchema(), inner, required, `${path}.${key}`),
    );
  }
  if (ns.isTimestampSchema() || ns.isNumericSchema()) return typeof value === 'number' ? [] : wrong('number');
  if (ns.isBooleanSchema()) return typeof value === 'boolean' ? [] : wrong('boolean');
  return typeof value === 'string' ? [] : wrong('string');
};
