/** Verifies a signature by signing the request again and comparing in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Hash } from '@smithy/hash-node';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Refusal } from '../core/eks/errors.ts';
import { type Claim, PRESIGNED, type SignedRequest, timeOf } from '../core/eks/sigv4.ts';

const Sha256 = Hash.bind(null, 'sha256');

const CONTENT_HASH = 'x-amz-content-sha256';

const MISMATCH: Refusal = {
  type: 'InvalidSignatureException',
  message:
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
};

/**
 * Splits the target of a request as it is signed: the path as received, and decoded query parameters. A plus
 * sign stands for itself, as in the canonical form.
 * @returns undefined when it cannot be read in exactly one way
 */
export const parseTarget = (url: string): Pick<SignedRequest, 'path' | 'query'> | undefined => {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  try {
    decodeURIComponent(path);
    for (const part of mark < 0 ? [] : url.slice(mark + 1).split('&')) {
      if (part === '') continue;
      const equals = part.indexOf('=');
      const name = decodeURIComponent(equals < 0 ? part : part.slice(0, equals));
      const value = equals < 0 ? '' : decodeURIComponent(part.slice(equals + 1));
      // A parameter of that name would be lost on the way to the canonical form, and so not be signed.
      if (name === '' || name === '__proto__') return undefined;
      (query[name] ??= []).push(value);
    }
  } catch {
    return undefined; // a broken percent escape, or one that is no UTF-8
  }
  // Signers normalise paths before they sign, routers do not: such a path would mean two things.
  const plain = path.startsWith('/') && !/\/\/|\/\.{1,2}(\/|$)/.test(path);
  return plain ? { path, query } : undefined;
};

/**
 * Whether the request was signed with this secret; undefined when it was.
 * @param body as received; nothing but its hash is looked at
 */
export const refuseSignature = async (
  request: SignedRequest,
  body: Buffer,
  claim: Claim,
  secret: string,
): Promise<Refusal | undefined> => {
  if (!hashHolds(request, body)) return MISMATCH;
  const expected = Buffer.from(await sign(request, body, claim, secret), 'hex');
  const given = Buffer.from(claim.signature, 'hex');
  return expected.length === given.length && timingSafeEqual(expected, given) ? undefined : MISMATCH;
};

/** A caller may state the hash of the body; then it has to be that of this body, and never `UNSIGNED-PAYLOAD`. */
const hashHolds = ({ headers, query }: SignedRequest, body: Buffer): boolean => {
  const stated = [headers[CONTENT_HASH], ...(query['X-Amz-Content-Sha256'] ?? [])];
  const hash = createHash('sha256').update(body).digest('hex');
  return stated.every((one) => one === undefined || one === hash);
};

/** Parameters that signing adds by itself. */
const GENERATED: ReadonlySet<string> = new Set(PRESIGNED);

/** The signature that this secret gives, 64 hexadecimal digits. */
const sign = async (
  request: SignedRequest,
  body: Buffer,
  { accessKeyId, scope, signedAt, signedHeaders, sessionToken, form, expiresIn }: Claim,
  secret: string,
): Promise<string> => {
  const signer = new SignatureV4({
    credentials: {
      accessKeyId,
      secretAccessKey: secret,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    region: scope.region,
    service: scope.service,
    sha256: Sha256,
    applyChecksum: false,
  });
  const headers = Object.fromEntries(signedHeaders.map((name) => [name, request.headers[name] ?? '']));
  const query = Object.fromEntries(
    Object.entries(request.query)
      .filter(([name]) => form === 'header' || !GENERATED.has(name))
      .map(([name, values]) => [name, [...values]]),
  );
  const again = new HttpRequest({
    method: request.method,
    protocol: 'http:',
    hostname: headers['host'] ?? '',
    path: request.path,
    query,
    headers,
    body,
  });
  const names = new Set(signedHeaders);
  const signingDate = new Date(timeOf(signedAt) ?? 0);
  if (form === 'header') {
    const signed = await signer.sign(again, { signingDate, signableHeaders: names });
    return /Signature=([0-9a-f]{64})$/.exec(signed.headers['authorization'] ?? '')?.[1] ?? '';
  }
  const signed = await signer.presign(again, {
    signingDate,
    expiresIn: expiresIn ?? 0,
    signableHeaders: names,
    unhoistableHeaders: names,
  });
  const signature = signed.query?.['X-Amz-Signature'];
  return typeof signature === 'string' ? signature : '';
};
