import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BackupCatalogue, backupPlaceOf } from '#platform/backup';
import { type ConfigOf, type Environment, loadPart } from '#platform/process';
import {
  type BackupBucket,
  guardFolder,
  readEnvironmentFile,
  releaseFolder,
  StateFolder,
  type WalCommands,
  writeWalCommands,
} from '#dev/devstack';
import { CliError } from '../../cli.error';
import { backupConfig } from './backup.config';

export interface BackupOptions {
  state?: string;
  json?: true;
}

/** What a backup command works with. */
export interface OpenBackups {
  readonly settings: ConfigOf<typeof backupConfig>;
  readonly bucket: BackupBucket;
  readonly catalogue: BackupCatalogue;
  /** Scripts and credentials, in a scratch folder. */
  readonly commands: WalCommands;
  /** Scratch folder with a short path, which PostgreSQL's account can enter; gone afterwards. */
  readonly scratch: string;
  /** Environment of the state folder; undefined: that of this process. */
  readonly variables: Environment | undefined;
}

/** Does something with the backups that the environment or a state folder names; leaves nothing of its own behind. */
export async function withBackups<T>(
  options: BackupOptions,
  work: (backups: OpenBackups) => Promise<T>,
  environment?: Environment,
): Promise<T> {
  const variables = (await variablesOf(options)) ?? environment;
  const settings = loadPart(backupConfig, variables);
  const bucket = backupPlaceOf(settings);
  if (bucket === null) {
    throw new CliError(
      'wrong_usage',
      options.state === undefined
        ? 'There is no place for backups: set KERNEL_BACKUP_DESTINATION (docs/backup.md), or name a state folder with --state.'
        : `The kernel in ${resolve(options.state)} has no backups: start it with KERNEL_BACKUP_DESTINATION set (docs/backup.md).`,
    );
  }
  const scratch = await mkdtemp(join(tmpdir(), 'kb-'));
  // Also when this process is killed.
  guardFolder(scratch);
  await chmod(scratch, 0o711);
  const catalogue = await BackupCatalogue.open(bucket);
  try {
    const commands = await writeWalCommands(join(scratch, 'wal'), bucket);
    return await work({ settings, bucket, catalogue, commands, scratch, variables });
  } finally {
    catalogue.close();
    await rm(scratch, { recursive: true, force: true });
    releaseFolder(scratch);
  }
}

/** `backup.env` of the state folder, and what the kernel there is given. */
async function variablesOf({ state }: BackupOptions): Promise<Environment | undefined> {
  if (state === undefined) return undefined;
  const folder = await StateFolder.find(resolve(state));
  if (folder === undefined) throw new CliError('not_running', `There is no kernel in ${resolve(state)}.`);
  const read = (file: string): Promise<Environment> =>
    existsSync(file) ? readEnvironmentFile(file) : Promise.resolve({});
  return { ...(await read(folder.environmentFile)), ...(await read(folder.backupEnvironmentFile)) };
}
