import { expect, test } from 'vitest';
import { judgeGo, parseGoVersion } from './go.ts';

test.each([
  ['go version go1.26.8 linux/amd64', [1, 26]],
  ['go version go1.19 linux/amd64', [1, 19]],
  ['go version go2.0rc1 linux/amd64', [2, 0]],
  ['gccgo (Debian) 12.2', undefined],
])('reads %j', (text, version) => {
  expect(parseGoVersion(text)).toEqual(version);
});

test.each([
  [[1, 26], 'new-enough'],
  [[2, 0], 'new-enough'],
  [[1, 25], 'switches'],
  [[1, 21], 'switches'],
  [[1, 19], 'too-old'],
] as const)('judges Go %j', (version, verdict) => {
  expect(judgeGo(version)).toBe(verdict);
});
