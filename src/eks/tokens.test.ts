/** Tokens of `aws eks get-token`: how long they are good for, whatever they say themselves. */
import { Hash } from '@smithy/hash-node';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, it } from 'vitest';
import type { Key } from './access.ts';
import type { EksContext } from './context.ts';
import { principalOfToken } from './tokens.ts';

const KEY_ID = 'AKIAAAAAAAAAAAAAAAAA';
const KEY: Key = { secretAccessKey: 'x'.repeat(40), user: 'ci', actions: [], clusters: [] };
const SIGNED_AT = Date.parse('2026-01-02T03:04:05Z');
const MINUTE = 60_000;

/** A token as clients make it, with an `X-Amz-Expires` of choice. */
const tokenOf = async (expiresIn: number, cluster = 'c'): Promise<string> => {
  const signer = new SignatureV4({
    credentials: { accessKeyId: KEY_ID, secretAccessKey: KEY.secretAccessKey },
    region: 'local-1',
    service: 'sts',
    sha256: Hash.bind(null, 'sha256'),
  });
  const headers = { host: 'sts.local-1.amazonaws.com', 'x-k8s-aws-id': cluster };
  const call = new HttpRequest({
    method: 'GET',
    protocol: 'https:',
    hostname: headers.host,
    path: '/',
    query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
    headers,
  });
  const { query } = await signer.presign(call, {
    expiresIn,
    signingDate: new Date(SIGNED_AT),
    unhoistableHeaders: new Set(['x-k8s-aws-id']),
  });
  const url = `https://${headers.host}/?${new URLSearchParams(query as Record<string, string>)}`;
  return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
};

const isGoodAt = async (token: string, now: number): Promise<boolean> => {
  const context = {
    account: { partition: 'aws', region: 'local-1', account: '111122223333' },
    cluster: { name: 'c' },
    access: { key: (id: string) => (id === KEY_ID ? KEY : undefined) },
    now: () => now,
  } as unknown as EksContext;
  return (await principalOfToken(token, context)) !== undefined;
};

describe('a token', () => {
  it.each([1, 60, 900, 604_800])(
    'that says %s s is good for a quarter of an hour, and no longer',
    async (expiresIn) => {
      const token = await tokenOf(expiresIn);
      expect(await isGoodAt(token, SIGNED_AT)).toBe(true);
      expect(await isGoodAt(token, SIGNED_AT + 15 * MINUTE)).toBe(true);
      expect(await isGoodAt(token, SIGNED_AT + 15 * MINUTE + 1000)).toBe(false);
    },
  );

  it('of another cluster is good for nothing', async () => {
    expect(await isGoodAt(await tokenOf(60, 'other'), SIGNED_AT)).toBe(false);
  });
});
