/** The members of Jest's --json result that are read. */
export interface JestResult {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: readonly JestFile[];
}

export interface JestFile {
  /** Absolute path. */
  name: string;
  /** Milliseconds since 1970; both 0 when the file could not be run. */
  startTime: number;
  endTime: number;
  /** `failed` also when the file could not be run, or did not end well after its tests. */
  status: 'passed' | 'failed' | 'skipped' | 'pending';
  assertionResults: readonly { status: string; ancestorTitles: readonly string[]; title: string }[];
}
