/** The small rules of the API: names of resources, pages, rates and permissions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterArn, parseRole, parseTaggable, profileArn } from './arn.ts';
import { type Bucket, take } from './bucket.ts';
import { isRefusal } from './errors.ts';
import { pageOf } from './page.ts';
import { mayDo } from './permissions.ts';

const OWN = { partition: 'aws', region: 'local-1', account: '111122223333' };

describe('ARNs', () => {
  it('are read as they are written', () => {
    expect(parseTaggable(clusterArn(OWN, 'c'), OWN)).toEqual({ kind: 'cluster', cluster: 'c' });
    expect(parseTaggable(profileArn(OWN, 'c', 'p', 'u-1'), OWN)).toEqual({
      kind: 'profile',
      cluster: 'c',
      profile: 'p',
      uid: 'u-1',
    });
  });

  it.each([
    ['', 'malformed'],
    ['arn:aws:s3:::bucket', 'malformed'],
    ['arn:aws:eks:local-1:111122223333', 'malformed'],
    ['arn:aws:eks:eu-west-1:111122223333:cluster/c', 'elsewhere'],
    ['arn:aws:eks:local-1:000000000000:cluster/c', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:cluster/c/x', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:cluster/', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:cluster/c/', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:cluster/c//x', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:fargateprofile/c/p', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:fargateprofile/c/p/', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:fargateprofile/c//u', 'elsewhere'],
    ['arn:aws:eks:local-1:111122223333:fargateprofile/c/p/u/more', 'elsewhere'],
  ])('%j is %s', (arn, expected) => {
    expect(parseTaggable(arn, OWN)).toBe(expected);
  });

  it.each([
    ['arn:aws:iam::111122223333:role/pods', 'pods'],
    ['arn:aws-cn:iam::111122223333:role/a.b@c', 'a.b@c'],
    ['arn:aws:iam::111122223333:role/path/pods', undefined],
    ['arn:aws:iam::1111:role/pods', undefined],
    ['arn:aws:iam::111122223333:user/pods', undefined],
    ['pods', undefined],
  ])('of roles: %s', (arn, name) => {
    expect(parseRole(arn)?.name).toBe(name);
  });
});

describe('pageOf', () => {
  it('gives every item once, in order, whatever the size', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 })),
        fc.integer({ min: 1, max: 100 }),
        (names, size) => {
          const seen: string[] = [];
          let nextToken: string | undefined;
          for (let pages = 0; pages < names.length + 2; pages++) {
            const page = pageOf('names', names, (name) => name, { maxResults: String(size), nextToken });
            if (isRefusal(page)) throw new Error(page.message);
            expect(page.items.length).toBeLessThanOrEqual(size);
            seen.push(...page.items);
            if (page.nextToken === null) break;
            nextToken = page.nextToken;
          }
          expect(seen).toEqual(names.toSorted((a, b) => (a < b ? -1 : 1)));
        },
      ),
    );
  });

  it('goes on after an item that is gone', () => {
    const first = pageOf('names', ['a', 'b', 'c'], (name) => name, { maxResults: '2' });
    if (isRefusal(first)) throw new Error(first.message);
    const second = pageOf('names', ['a', 'c', 'd'], (name) => name, { nextToken: first.nextToken ?? '' });
    expect(second).toEqual({ items: ['c', 'd'], nextToken: null });
  });
});

describe('a token of pageOf', () => {
  const all = ['a:b', 'c', 'd'];
  const ask = (list: string, nextToken: string) => pageOf(list, all, (name) => name, { nextToken });

  it('is good for the list that gave it, and for no other', () => {
    const page = pageOf('x', all, (name) => name, { maxResults: '1' });
    const token = isRefusal(page) ? '' : (page.nextToken ?? '');
    expect(ask('x', token)).toEqual({ items: ['c', 'd'], nextToken: null });
    for (const other of ['y', '']) expect(isRefusal(ask(other, token)), other).toBe(true);
  });

  it.each(['', 'x', 'eDph=', 'bm9ib2R5', '{}', '%00'])('is none of anybody: %j', (text) => {
    expect(isRefusal(ask('x', text))).toBe(true);
  });
});

describe('take', () => {
  it('gives the burst at once, and then so many a second', () => {
    const rate = { perSecond: 2, burst: 3 };
    let bucket: Bucket | undefined;
    const call = (at: number): number | undefined => {
      const taken = take(bucket, rate, at);
      bucket = taken.bucket;
      return taken.waitMs;
    };
    expect([0, 0, 0, 0, 250, 500, 500].map(call)).toEqual([
      undefined,
      undefined,
      undefined,
      500,
      250,
      undefined,
      500,
    ]);
    expect([60_000, 60_000, 60_000, 60_000].map(call)).toEqual([undefined, undefined, undefined, 500]);
  });
});

describe('mayDo', () => {
  it.each([
    ['eks:DescribeCluster', 'c1', true],
    ['eks:DescribeCluster', 'other', false],
    ['eks:ListClusters', undefined, true],
    ['eks:DeleteFargateProfile', 'c1', false],
    ['sts:GetCallerIdentity', undefined, true],
  ])('%s on %s: %s', (action, cluster, expected) => {
    expect(mayDo({ actions: ['eks:Describe*', 'eks:List*'], clusters: ['c?'] }, action, cluster)).toBe(
      expected,
    );
  });
});
