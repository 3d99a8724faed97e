import { type JestFile, type JestResult } from './jest-result';
import {
  closingLine,
  countsOf,
  failedFiles,
  skippedLines,
  slowestLines,
  unstableLines,
  withSecondTry,
} from './test-summary';

const ROOT = '/tree';

function resultOf(...testResults: JestFile[]): JestResult {
  const statuses = testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ status }) => status),
  );
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length;
  return {
    success: count('failed') === 0,
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('pending'),
    numTodoTests: count('todo'),
    numRuntimeErrorTestSuites: testResults.filter(({ startTime }) => startTime === 0).length,
    testResults,
  };
}

function file(name: string, seconds: number, ...tests: [status: string, ...titles: string[]][]): JestFile {
  return {
    name: `${ROOT}/${name}`,
    startTime: seconds === 0 ? 0 : 1_000,
    endTime: seconds === 0 ? 0 : 1_000 + seconds * 1_000,
    status: seconds === 0 || tests.some(([status]) => status === 'failed') ? 'failed' : 'passed',
    assertionResults: tests.map(([status, ...titles]) => ({
      status,
      ancestorTitles: titles.slice(0, -1),
      title: titles.at(-1) ?? '',
    })),
  };
}

describe('the end of a test run', () => {
  it('counts, and counts a file that cannot be run as one failure', () => {
    const result = resultOf(file('a', 1, ['passed', 'x'], ['failed', 'y'], ['todo', 'z']), file('b', 0));
    expect(countsOf(result)).toEqual({ passed: 1, failed: 2, skipped: 1 });
    expect(closingLine({ passed: 1, failed: 2, skipped: 1 })).toBe('1 passed, 2 failed, 1 skipped');
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
  });

  const suite = 'with a broker (skipped: Kafka is not installed (scripts/install-kafka.sh fetches it))';

  it('names each skipped suite once, with its reason', () => {
    const result = resultOf(
      file(
        'a',
        1,
        ['pending', 'relay', suite, 'x'],
        ['pending', 'relay', suite, 'inner', 'y'],
        ['passed', 'z'],
      ),
      file('b', 1, ['pending', suite, 'x']),
    );
    const reason = 'Kafka is not installed (scripts/install-kafka.sh fetches it)';
    expect(skippedLines(result, ROOT, false)).toEqual([
      `skipped a: with a broker: ${reason} (2 tests)`,
      `skipped b: with a broker: ${reason} (1 test)`,
    ]);
  });

  it('says so when a skipped test gives no reason', () => {
    const result = resultOf(file('a', 1, ['pending', 'relay', 'x'], ['todo', 'y']));
    expect(skippedLines(result, ROOT, false)).toEqual([
      'skipped a: relay x: no reason is given',
      'skipped a: y: no reason is given',
    ]);
  });

  it('only counts what a pattern of names left out', () => {
    const result = resultOf(file('a', 1, ['pending', 'x'], ['pending', 'y'], ['pending', suite, 'z']));
    expect(skippedLines(result, ROOT, true)).toEqual([
      'skipped a: with a broker: Kafka is not installed (scripts/install-kafka.sh fetches it) (1 test)',
      'skipped 2 tests of other names',
    ]);
  });

  it('lists the ten slowest files', () => {
    const files = Array.from({ length: 12 }, (_, n) => file(`${n}.spec.ts`, n + 1, ['passed', 'x']));
    const lines = slowestLines(resultOf(...files, file('broken', 0)), ROOT);
    expect(lines).toHaveLength(11);
    expect(lines.slice(0, 2)).toEqual([
      '12 test files took 78 s in all; the slowest:',
      '   12.0 s  11.spec.ts',
    ]);
    expect(lines.at(-1)).toBe('    3.0 s  2.spec.ts');
    expect(slowestLines(resultOf(file('a', 5)), ROOT)).toEqual([]);
  });
});

describe('a second try', () => {
  it('takes the place of the first, of the files that it ran', () => {
    const first = resultOf(
      file('a', 1, ['passed', 'x'], ['failed', 'y']),
      file('b', 1, ['failed', 'x']),
      file('broken', 0),
      file('c', 1, ['passed', 'x'], ['todo', 'z']),
    );
    expect(failedFiles(first)).toEqual(['/tree/a', '/tree/b', '/tree/broken']);
    const second = resultOf(
      file('a', 1, ['passed', 'x'], ['passed', 'y']),
      file('b', 1, ['failed', 'x']),
      file('broken', 1, ['passed', 'x'], ['passed', 'y']),
    );
    const whole = withSecondTry(first, second);
    expect(countsOf(whole)).toEqual({ passed: 5, failed: 1, skipped: 1 });
    expect(whole.success).toBe(false);
    expect(whole.testResults).toHaveLength(4);
    expect(unstableLines(first, whole, ROOT)).toEqual([
      'unstable: a failed with the other files beside it (y) and passed alone',
      'unstable: broken failed with the other files beside it (could not be run) and passed alone',
    ]);
    expect(withSecondTry(first, resultOf(file('a', 1, ['passed', 'x']))).success).toBe(false);
  });

  it('ends well when nothing fails in it', () => {
    const first = resultOf(file('a', 1, ['failed', 'y']), file('c', 1, ['passed', 'x']));
    const whole = withSecondTry(first, resultOf(file('a', 1, ['passed', 'y'])));
    expect(whole.success).toBe(true);
    expect(countsOf(whole)).toEqual({ passed: 2, failed: 0, skipped: 0 });
  });
});
