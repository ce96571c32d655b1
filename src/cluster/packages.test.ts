import { expect, test } from 'vitest';
import { chooseMirror, NEEDS, releaseOf, unmet } from './packages.ts';

const osRelease = (id: string, version: string): string =>
  `PRETTY_NAME="Some ${id} ${version}"\nNAME="Some"\nVERSION_ID="${version}"\nID=${id}\n`;

test('knows Debian 12, which needs backports, and Debian 13', () => {
  expect(releaseOf(osRelease('debian', '12'))).toEqual({ codename: 'bookworm', backports: true });
  expect(releaseOf(osRelease('debian', '13'))).toEqual({ codename: 'trixie', backports: false });
});

test.each([osRelease('debian', '11'), osRelease('ubuntu', '24.04'), ''])(
  'refuses other systems: %j',
  (text) => {
    expect(() => releaseOf(text)).toThrow(/only Debian 12 and 13/);
  },
);

test('a package is missing when it is not installed or too old', () => {
  const needs = [
    { package: 'a', purpose: 'x' },
    { package: 'b', purpose: 'x', major: 10 },
    { package: 'c', purpose: 'x', major: 10 },
    { package: 'd', purpose: 'x' },
  ];
  const installed = 'a 0.1-1 installed\nb 1:7.2+dfsg-7 installed\nc 1:10.0.2+ds-2~bpo12+1 installed';
  expect(unmet(needs, installed).map((need) => need.package)).toEqual(['b', 'd']);
});

test('every need says what it is for, once', () => {
  expect(new Set(NEEDS.map((need) => need.package)).size).toBe(NEEDS.length);
  for (const need of NEEDS) expect(need.purpose).not.toBe('');
});

const own = 'http://mirror.example/debian/ bookworm main';

test("takes backports from the machine's own mirror", () => {
  const targets = `http://security.example/ bookworm-security main\n${own}\n`;
  expect(chooseMirror(targets, 'bookworm')).toBe('http://mirror.example/debian/');
});

test('adds nothing where backports are a source already', () => {
  expect(chooseMirror(`${own}\nhttp://other.example/ bookworm-backports main`, 'bookworm')).toBeUndefined();
});

test('says so when the release itself is no source', () => {
  expect(() => chooseMirror('http://x.example/ nodistro main', 'bookworm')).toThrow(
    /no package source for bookworm/,
  );
});
