import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DevelopmentCaller, userCache } from '#dev/devstack';
import { describeWith, type TestStack, workTree } from '#dev/testing';

const FOLDER = 'test/contract/schemathesis';

/**
 * What an answer is held against. Left out: `not_a_server_error`, since 503 is declared (the caller of this counts all
 * others), and `positive_data_acceptance`, since a cursor is opaque and most made-up ones are none.
 */
const CHECKS = [
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'missing_required_header',
  'unsupported_method',
  'allow_header_conformance',
];

export interface SchemathesisRun {
  caller: DevelopmentCaller;
  seed: number;
  /** Most requests for each operation. */
  examples: number;
  /** Paths to leave out, or to test alone: a regular expression. */
  exclude?: string;
  include?: string;
  /** Folder for its report. */
  scratch: string;
}

export interface SchemathesisResult {
  code: number;
  requests: number;
  output: string;
}

/** A suite that needs Schemathesis (describeWith). */
export function describeWithSchemathesis(name: string, suite: () => void): void {
  const missing = existsSync(folder())
    ? null
    : 'Schemathesis is not installed (scripts/install-schemathesis.sh fetches it with pip)';
  describeWith({ missing }, name, suite);
}

/** Sends requests that the document describes, and such that it does not, and holds every answer against it. */
export async function schemathesis(stack: TestStack, run: SchemathesisRun): Promise<SchemathesisResult> {
  const { caCert, callers } = stack.identities;
  const { cert, key } = callers[run.caller];
  const args = [
    join(folder(), 'bin', 'schemathesis'),
    ...['--config-file', join(workTree(), FOLDER, 'schemathesis.toml')],
    'run',
    join(workTree(), 'openapi', 'kernel.yaml'),
    ...['--url', stack.kernels[0]?.apiUrl ?? ''],
    ...['--tls-verify', caCert, '--request-cert', cert, '--request-cert-key', key],
    ...['--checks', CHECKS.join(',')],
    ...(run.exclude === undefined ? [] : ['--exclude-path-regex', run.exclude]),
    ...(run.include === undefined ? [] : ['--include-path-regex', run.include]),
    ...['--phases', 'fuzzing', '--max-examples', String(run.examples), '--seed', String(run.seed)],
    // More workers are threads, in which Python 3.11 now and then fails to parse the sources that Hypothesis shows.
    ...['--workers', '1', '--request-timeout', '30', '--no-shrink', '--continue-on-failure', '--no-color'],
  ];
  // It keeps examples of earlier runs beside it otherwise.
  const options = {
    cwd: run.scratch,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: run.scratch, PYTHONPATH: folder() },
    maxBuffer: 64 * 1024 * 1024,
  };
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile('python3', args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` }),
    );
  });
  return { code, requests: Number(/(\d+) generated/.exec(output)?.[1] ?? 0), output };
}

function folder(): string {
  const digest = createHash('sha256')
    .update(readFileSync(join(workTree(), FOLDER, 'requirements.txt')))
    .digest('hex');
  return join(userCache(), `schemathesis-${digest.slice(0, 12)}`);
}
