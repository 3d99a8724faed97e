import { relative } from 'node:path';
import { type JestFile, type JestResult } from './jest-result';

const SLOWEST = 10;
const SKIPPED = new Set(['pending', 'todo', 'disabled']);
/** describeWith (libs/dev/testing) puts the reason into the name of the suite. */
const WITH_REASON = /^(.*) \(skipped: (.*)\)$/s;

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export function countsOf(result: JestResult): Counts {
  return {
    passed: result.numPassedTests,
    // A file that could not be run at all has no tests to count, so it counts as one that failed.
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** Paths of the files with a failed test, and of those that could not be run. */
export function failedFiles(result: JestResult): string[] {
  return result.testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
}

/** The result of a run of which some files were run once more: those count as the second run says. */
export function withSecondTry(first: JestResult, second: JestResult): JestResult {
  const again = new Set(second.testResults.map(({ name }) => name));
  const testResults = [...first.testResults.filter(({ name }) => !again.has(name)), ...second.testResults];
  const count = (...wanted: string[]) =>
    testResults.reduce(
      (sum, { assertionResults }) =>
        sum + assertionResults.filter(({ status }) => wanted.includes(status)).length,
      0,
    );
  const failed = testResults.filter(({ status }) => status === 'failed');
  return {
    success: failed.length === 0,
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('pending', 'disabled'),
    numTodoTests: count('todo'),
    numRuntimeErrorTestSuites: failed.filter((file) => failedTests(file).length === 0).length,
    testResults,
  };
}

/** One line for each file that failed in the first run and passed in the second. */
export function unstableLines(first: JestResult, whole: JestResult, root: string): string[] {
  const passed = new Set(
    whole.testResults.filter(({ status }) => status === 'passed').map(({ name }) => name),
  );
  return first.testResults
    .filter(({ status, name }) => status === 'failed' && passed.has(name))
    .map((file) => {
      const what = failedTests(file).join('; ') || 'could not be run';
      return `unstable: ${relative(root, file.name)} failed with the other files beside it (${what}) and passed alone`;
    });
}

function failedTests({ assertionResults }: JestFile): string[] {
  return assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ ancestorTitles, title }) => [...ancestorTitles, title].join(' '));
}

/** The line that every run ends with. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * One line for each suite that was skipped with a reason, and one for each test that says none.
 *
 * @param byName the run was given a pattern of names: then a test without a reason was left out by the caller
 */
export function skippedLines(result: JestResult, root: string, byName: boolean): string[] {
  const suites = new Map<string, number>();
  const lines: string[] = [];
  let leftOut = 0;
  for (const file of result.testResults) {
    const path = relative(root, file.name);
    for (const { status, ancestorTitles, title } of file.assertionResults) {
      if (!SKIPPED.has(status)) continue;
      const reasons = ancestorTitles.flatMap((name) => {
        const [, suite, reason] = WITH_REASON.exec(name) ?? [];
        return suite === undefined ? [] : [`${suite}: ${reason}`];
      });
      if (reasons[0] !== undefined) {
        const suite = `${path}: ${reasons[0]}`;
        suites.set(suite, (suites.get(suite) ?? 0) + 1);
      } else if (byName) {
        leftOut += 1;
      } else {
        lines.push(`skipped ${path}: ${[...ancestorTitles, title].join(' ')}: no reason is given`);
      }
    }
  }
  const told = [...suites].map(([suite, count]) => `skipped ${suite} (${numberOf(count, 'test')})`);
  if (leftOut > 0) lines.push(`skipped ${numberOf(leftOut, 'test')} of other names`);
  return [...told, ...lines];
}

/** The files that took longest, with their seconds; nothing when only one file was run. */
export function slowestLines(result: JestResult, root: string): string[] {
  const files = result.testResults.filter(({ startTime }) => startTime > 0);
  if (files.length < 2) return [];
  const slowest = [...files].sort((a, b) => secondsOf(b) - secondsOf(a)).slice(0, SLOWEST);
  const sum = files.reduce((seconds, file) => seconds + secondsOf(file), 0);
  return [
    `${files.length} test files took ${sum.toFixed(0)} s in all; the slowest:`,
    ...slowest.map((file) => `${secondsOf(file).toFixed(1).padStart(7)} s  ${relative(root, file.name)}`),
  ];
}

function secondsOf({ startTime, endTime }: JestFile): number {
  return (endTime - startTime) / 1_000;
}

export function numberOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
