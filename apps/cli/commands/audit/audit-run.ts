import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command } from 'commander';
import { compileCache, programFolder, readEnvironmentFile, StateFolder } from '#dev/devstack';
import { CliError } from '../../cli.error';
import { defaultState } from '../../default-state';

export function addAuditRun(audit: Command): void {
  audit
    .command('run')
    .summary('audit the whole kernel now')
    .description(
      'Runs one audit as the auditor does every night: the chain, the index, the archive and its day manifests, with a signed ' +
        'report in the archive. Exit code 1 when it finds anything, 2 when it cannot be carried out.',
    )
    .option('--state <dir>', 'state folder of a kernel that `up` runs (default: .kernel)')
    .option('--json', 'print the result as JSON')
    .action(async ({ state, json }: { state?: string; json?: true }) => {
      process.exitCode = await run(resolve(state ?? defaultState()), json === true ? ['--json'] : []);
    });
}

async function run(dir: string, args: readonly string[]): Promise<number> {
  const file = (await StateFolder.find(dir))?.auditorEnvironmentFile;
  if (file === undefined || !existsSync(file)) {
    throw new CliError(
      'not_running',
      `There is no kernel in ${dir}; start one with ./kernel up --detach, or name one with --state. ` +
        'Elsewhere, run the auditor with --once in its own environment.',
    );
  }
  const env = await readEnvironmentFile(file);
  const program = join(programFolder(), 'apps', 'auditor', 'main.js');
  return await new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--enable-source-maps', program, '--once', ...args], {
      env: { ...env, ...compileCache() },
      stdio: 'inherit',
    });
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? 2));
  });
}
