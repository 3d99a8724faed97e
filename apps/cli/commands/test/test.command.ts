import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Command } from 'commander';
import { workTree } from '#dev/devstack';
import { type JestResult } from './jest-result';
import {
  closingLine,
  type Counts,
  countsOf,
  failedFiles,
  numberOf,
  skippedLines,
  slowestLines,
  unstableLines,
  withSecondTry,
} from './test-summary';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';

/** More files than these do not fail by chance: a second try would only take time. */
const MOST_TRIED_AGAIN = 8;

interface TestOptions {
  changed?: string | true;
  secondTry?: true;
  json?: true;
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
    .option(
      '--changed [revision]',
      'only the tests that a change since that revision can reach, without the checks; default: since the branch left main',
    )
    .option(
      '--second-try',
      `run files that fail once more, alone, when they are at most ${MOST_TRIED_AGAIN}; names those that pass then`,
    )
    .option('--json', 'print the counts as JSON, in the place of the last line')
    .allowUnknownOption()
    .action(async (args: string[], options: TestOptions) => {
      process.exitCode = await runTests(args, options);
    });
}

async function runTests(args: readonly string[], options: TestOptions): Promise<number> {
  const { changed, json = false } = options;
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  let chosen: readonly string[] = args;
  if (changed !== undefined) {
    const reached = await testsReachedSince(changed === true ? undefined : changed);
    if (reached.length === 0) {
      print(json ? JSON.stringify(counts) : closingLine(counts));
      return 0;
    }
    chosen = ['--runTestsByPath', ...args, ...reached];
  } else if (args.length === 0) {
    say('checking format, lint, types and boundaries');
    const ok = (await run('npm', ['run', '--silent', 'check'])) === 0;
    if (ok) counts.passed += 1;
    else counts.failed += 1;
    say(ok ? 'the checks pass' : 'the checks fail');
  }
  const first = await runJest(chosen);
  const result = first !== undefined && options.secondTry ? await tryAgain(first) : first;
  let sound = result !== undefined;
  if (result !== undefined) {
    const { passed, failed, skipped } = countsOf(result);
    counts.passed += passed;
    counts.failed += failed;
    counts.skipped += skipped;
    sound = result.success && result.numPassedTests + result.numFailedTests > 0;
    if (result.numPassedTests + result.numFailedTests === 0) say('no test was run');
    const byName = args.some((arg) => /^(-t|--testNamePattern)(=|$)/.test(arg));
    for (const line of slowestLines(result, workTree())) say(line);
    for (const line of skippedLines(result, workTree(), byName)) say(line);
    if (first !== undefined) for (const line of unstableLines(first, result, workTree())) say(line);
  } else {
    say('Jest gave no result');
    counts.failed += 1;
  }
  print(json ? JSON.stringify(counts) : closingLine(counts));
  return sound && counts.failed === 0 ? 0 : 1;
}

/** What Jest says after a second run of the files that failed, each with the machine for itself. */
async function tryAgain(first: JestResult): Promise<JestResult> {
  const failed = failedFiles(first);
  if (failed.length === 0 || failed.length > MOST_TRIED_AGAIN) return first;
  say(`${numberOf(failed.length, 'test file')} failed; runs each once more, alone`);
  const second = await runJest(['--runInBand', '--runTestsByPath', ...failed]);
  return second === undefined ? first : withSecondTry(first, second);
}

/** Test files, relative to the work tree; says which they are and why. */
async function testsReachedSince(revision: string | undefined): Promise<string[]> {
  const script = join(workTree(), 'scripts', 'changed-tests.mjs');
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [script, workTree(), ...(revision === undefined ? [] : [revision])],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    for (const line of stderr.trimEnd().split('\n')) say(line);
    return JSON.parse(stdout) as string[];
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new CliError(
      'failed',
      `Cannot find out what has changed: ${stderr?.trim() || (error as Error).message}`,
    );
  }
}

async function runJest(args: readonly string[]): Promise<JestResult | undefined> {
  const scratch = await mkdtemp(join(tmpdir(), 'kernel-test-'));
  const output = join(scratch, 'result.json');
  try {
    await run(process.execPath, [
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

/** Runs a program with all its output on stderr: stdout is for the result. */
async function run(command: string, args: readonly string[]): Promise<number> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: workTree(), stdio: ['ignore', 2, 2] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
