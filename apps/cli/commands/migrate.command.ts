import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command } from 'commander';
import { compileCache, programFolder, readEnvironmentFile, StateFolder } from '#dev/devstack';
import { type Environment, loadPart } from '#platform/process';
import { CliError } from '../cli.error';
import { defaultState } from '../default-state';
import { replayConfig } from './replay/replay.config';

interface MigrateCommandOptions {
  check?: true;
  createRoles?: true;
  json?: true;
  state?: string;
}

/** Exit code of a migration that could not be carried out. */
const FAILED = 2;

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .summary("bring a kernel's database to this version's schema")
    .description(
      [
        'Brings the database to the schema of this version, as the role that owns it (DATABASE_OWNER_URL), and gives the roles',
        'of kernel and workers exactly their rights. Run it before the new version starts, as often as you like and from several',
        'places at once: the version before goes on with the new schema. Its settings are in docs/configuration.md, migrate.',
        'The container image runs the same: migrate. Exit code 2 when it cannot be carried out.',
      ].join(' '),
    )
    .option('--check', 'change nothing; print what is missing or too much, and end with 1 if anything is')
    .option(
      '--create-roles',
      'make roles and database first, as a superuser (DATABASE_ADMIN_URL; passwords in DATABASE_RUNTIME_PASSWORD, DATABASE_WORKER_PASSWORD)',
    )
    .option('--state <dir>', 'state folder of a kernel that `up` runs (default: DATABASE_OWNER_URL counts)')
    .option('--json', 'print `{ origin, asNeeded, lines }` as JSON')
    .action(async (options: MigrateCommandOptions) => {
      process.exitCode = await run(options);
    });
}

async function run(options: MigrateCommandOptions): Promise<number> {
  const args = [
    ...(options.check === true ? ['--check'] : []),
    ...(options.createRoles === true ? ['--create-roles'] : []),
    ...(options.json === true ? ['--json'] : []),
  ];
  const env = await environmentOf(options);
  // The program of the image itself: there is no other way to migrate.
  const program = join(programFolder(), 'apps', 'migrate', 'main.js');
  return await new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--enable-source-maps', program, ...args], {
      ...(env === undefined ? {} : { env: { ...env, ...compileCache() } }),
      stdio: 'inherit',
    });
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? FAILED));
  });
}

/** Environment of the program; undefined: that of this process. */
async function environmentOf({ state }: MigrateCommandOptions): Promise<Environment | undefined> {
  if (state === undefined && loadPart(replayConfig).databaseOwnerUrl !== undefined) return undefined;
  const dir = resolve(state ?? defaultState());
  const folder = await StateFolder.find(dir);
  if (folder === undefined || !existsSync(folder.environmentFile)) {
    throw new CliError(
      'not_running',
      `There is no kernel in ${dir}; name the database in DATABASE_OWNER_URL and the kernel in KERNEL_ORIGIN, or a state folder with --state.`,
    );
  }
  const { DATABASE_OWNER_URL, KERNEL_ORIGIN } = await readEnvironmentFile(folder.environmentFile);
  return { DATABASE_OWNER_URL, KERNEL_ORIGIN, KERNEL_SHARDS: String(folder.record.shards) };
}
