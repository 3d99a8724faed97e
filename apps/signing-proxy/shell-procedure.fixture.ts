import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { type ProxyFixture } from './proxy.fixture';

export interface ProcedureRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a script of the work tree with /bin/sh, whatever shell that is, and nothing in the environment but what is given. */
export function runProcedure(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ProcedureRun> {
  return new Promise((resolve) => {
    const nodeFolder = join(process.execPath, '..');
    execFile(
      '/bin/sh',
      [join(workTree(), script), ...args],
      { env: { PATH: `${nodeFolder}:/usr/local/bin:/usr/bin:/bin`, ...environment }, cwd: tmpdir() },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

/** What `./kernel up` writes to kernel.env, for an operator in front of this proxy; the files lie in `dir`. */
export async function operatorEnvironment(
  fixture: ProxyFixture,
  dir: string,
): Promise<Record<string, string>> {
  const operator = await fixture.as('operator');
  const files = { ca: fixture.ca.cert, cert: operator.cert, key: operator.key };
  for (const [name, pem] of Object.entries(files)) {
    await writeFile(join(dir, `${name}.pem`), pem, { mode: 0o600 });
  }
  return {
    KERNEL_SIGNING_PROXY_URL: fixture.url,
    KERNEL_CA_CERT: join(dir, 'ca.pem'),
    KERNEL_OPERATOR_CERT: join(dir, 'cert.pem'),
    KERNEL_OPERATOR_KEY: join(dir, 'key.pem'),
  };
}
