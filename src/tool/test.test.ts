import { expect, test } from 'vitest';
import { chooseSuites, closingLine, countsOf } from './test.ts';

const report = (passed: number, failed: number, pending = 0) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: pending,
  numTodoTests: 0,
});

test.each([
  ['all is well', report(5, 0, 1), true, { passed: 5, failed: 0, skipped: 1 }],
  ['tests failed', report(5, 2), false, { passed: 5, failed: 2, skipped: 0 }],
  ['a file does not load', report(5, 0), false, { passed: 5, failed: 1, skipped: 0 }],
  ['no test ran', report(0, 0, 3), true, { passed: 0, failed: 1, skipped: 3 }],
  ['there is no report', undefined, true, { passed: 0, failed: 1, skipped: 0 }],
] as const)('counts when %s', (_, given, ended, counts) => {
  expect(countsOf(given, ended)).toEqual(counts);
});

test('the closing line is the plain one that any reader knows', () => {
  expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
  expect(closingLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
});

test('suites are chosen by name or by a file of theirs', () => {
  expect(chooseSuites([]).map(({ name }) => name)).toContain('vm');
  expect(chooseSuites(['unit']).map(({ name }) => name)).toEqual(['unit']);
  const [chosen, ...others] = chooseSuites(['test/vm/pod.test.ts']);
  expect(chosen).toMatchObject({ name: 'vm', files: ['test/vm/pod.test.ts'] });
  expect(others).toEqual([]);
});

test('a folder of the source is part of the unit suite; a suite of the same name comes first', () => {
  expect(chooseSuites(['core', 'kube'])).toMatchObject([{ name: 'unit', files: ['src/core', 'src/kube'] }]);
  expect(chooseSuites(['cluster'])).toMatchObject([{ name: 'cluster', files: [] }]);
});

test('a suite that does not exist is refused', () => {
  expect(() => chooseSuites(['unit', 'units'])).toThrow(
    /no suite units: name one of unit, cluster, aws, vm, chaos/,
  );
});
