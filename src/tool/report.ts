/** What vitest's report of a run comes to: counts, failures and the closing line. */
import { relative } from 'node:path';
import { ROOT } from '../host/script.ts';

/** What a run of tests came to. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** How a suite went: how many tests, and what failed. */
export interface Outcome {
  readonly counts: Counts;
  readonly failures: readonly string[];
}

/** The part of vitest's JSON report that is read (vitest.dev, "JSON reporter"). */
export interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    /** Why the file as a whole failed, for example because it does not load. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/**
 * Counts of one run. A run that ends badly without a failed test, for example because a file does not load,
 * counts as one failure; so does one that ran no test.
 * @param report the JSON report; undefined when there is none
 * @param ended whether the runner said that all is well
 */
export const countsOf = (report: Report | undefined, ended: boolean): Counts => {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests: passed, numFailedTests: failed } = report;
  const bad = failed === 0 && (!ended || passed === 0);
  return { passed, failed: bad ? 1 : failed, skipped: report.numPendingTests + report.numTodoTests };
};

/** The first lines of a failure; its stack comes after them and was printed when it happened. */
const FAILURE_LINES = 3;

/**
 * What failed in a run, for the end of the output, where it is read even if only that was kept: the file, the
 * test and the first lines of its message.
 * @param report the JSON report; undefined when there is none
 */
export const failuresOf = (report: Report | undefined): readonly string[] => {
  if (report === undefined) return ['the runner ended without a report'];
  return report.testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(ROOT, name);
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    if (failed.length === 0) return message === '' ? [] : [failure(file, message)];
    return failed.map(({ fullName, failureMessages }) =>
      failure(`${file}: ${fullName}`, failureMessages?.join('\n') ?? ''),
    );
  });
};

const failure = (what: string, message: string): string =>
  [what, ...message.split('\n').slice(0, FAILURE_LINES)].join('\n    ');

/** The closing line, alone on its line. */
export const closingLine = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;

/** Two runs as one. */
export const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});
