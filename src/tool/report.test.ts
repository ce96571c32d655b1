import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../host/script.ts';
import { closingLine, countsOf, failuresOf } from './report.ts';

const report = (passed: number, failed: number, pending = 0) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: pending,
  numTodoTests: 0,
  testResults: [],
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

test('failures are named by file and test, with the first lines of why', () => {
  const results = (name: string, message: string, ...assertionResults: readonly object[]) =>
    ({ name: join(ROOT, name), message, assertionResults }) as never;
  const passed = { fullName: 'adds', status: 'passed', failureMessages: [] };
  const failed = { fullName: 'divides', status: 'failed', failureMessages: ['by zero\n1\n2\n3\n4'] };
  const testResults = [
    results('src/a.test.ts', '', passed, failed),
    results('src/b.test.ts', 'does not load'),
    results('src/c.test.ts', '', passed),
  ];
  expect(failuresOf({ ...report(2, 1), testResults })).toEqual([
    'src/a.test.ts: divides\n    by zero\n    1\n    2',
    'src/b.test.ts\n    does not load',
  ]);
  expect(failuresOf(undefined)).toEqual(['the runner ended without a report']);
});
