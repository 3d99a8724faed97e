import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command } from 'commander';
import { workTree } from '#dev/devstack';
import { print, say } from '../output/print';

/** The members of Jest's --json result that are counted. */
interface JestResult {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numRuntimeErrorTestSuites: number;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs the tests as they are run everywhere; ends with the line `N passed, N failed` (`, N skipped`). */
export function addTest(program: Command): void {
  program
    .command('test')
    .summary('run the tests')
    .description(
      [
        'Runs every test with real servers, and before them the checks of format, lint, types and boundaries (counted as',
        "one test). With arguments (paths, patterns, Jest's own options) only those tests, without the checks.",
      ].join(' '),
    )
    .argument('[args...]', 'given to Jest')
    .allowUnknownOption()
    .action(async (args: string[]) => {
      process.exitCode = await runTests(args);
    });
}

async function runTests(args: readonly string[]): Promise<number> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  if (args.length === 0) {
    say('checking format, lint, types and boundaries');
    const ok = (await run('npm', ['run', '--silent', 'check'])) === 0;
    if (ok) counts.passed += 1;
    else counts.failed += 1;
    say(ok ? 'the checks pass' : 'the checks fail');
  }
  const result = await runJest(args);
  let sound = result !== undefined;
  if (result !== undefined) {
    counts.passed += result.numPassedTests;
    // A file that could not be run at all has no tests to count, so it counts as one that failed.
    counts.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
    counts.skipped += result.numPendingTests + result.numTodoTests;
    sound = result.success && result.numPassedTests + result.numFailedTests > 0;
    if (result.numPassedTests + result.numFailedTests === 0) say('no test was run');
  } else {
    say('Jest gave no result');
    counts.failed += 1;
  }
  print(
    `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`,
  );
  return sound && counts.failed === 0 ? 0 : 1;
}

async function runJest(args: readonly string[]): Promise<JestResult | undefined> {
  const scratch = await mkdtemp(join(tmpdir(), 'kernel-test-'));
  const output = join(scratch, 'result.json');
  try {
    await run(process.execPath, [
      // Nest 12 is ES modules only (docs/adr).
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(workTree(), 'node_modules', 'jest', 'bin', 'jest.js'),
      // A run without a test is refused below, in one line; without this Jest would give no result to read.
      '--passWithNoTests',
      '--json',
      `--outputFile=${output}`,
      ...args,
    ]);
    return JSON.parse(await readFile(output, 'utf8')) as JestResult;
  } catch {
    return undefined;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Runs with everything it says on stderr: stdout is for the result. */
async function run(command: string, args: readonly string[]): Promise<number> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: workTree(), stdio: ['ignore', 2, 2] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
