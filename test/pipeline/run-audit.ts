import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compileCache } from '#dev/devstack';
import { type TestStack, workTree } from '#dev/testing';

export interface AuditRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** One audit, as `./kernel audit run` runs it. */
export async function runAudit(stack: TestStack): Promise<AuditRun> {
  const run = promisify(execFile)(
    process.execPath,
    [join(workTree(), 'dist', 'apps', 'auditor', 'main.js'), '--once'],
    { env: { ...stack.worker('auditor').environment, ...compileCache() } },
  );
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Error & { code?: number; stdout?: string; stderr?: string }) => ({
      code: error.code ?? -1,
      stdout: error.stdout ?? '',
      stderr: error.stderr ?? '',
    }),
  );
}
