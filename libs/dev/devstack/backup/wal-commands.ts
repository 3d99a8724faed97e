import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { barmanArguments, barmanEnvironment, type BarmanPlace, locateBackupTools } from './backup-tools';
import { serverAccount } from '../postgres/system-account';
import { makeFolder } from '../process/folder';

/** A bucket of backups, and who may use it. */
export interface BackupBucket extends BarmanPlace {
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

/** Programs that PostgreSQL itself runs, by the absolute paths of files that it can enter. */
export interface WalCommands {
  readonly archiveCommand: string;
  readonly restoreCommand: string;
  readonly credentialsFile: string | undefined;
}

/**
 * Writes `archive-wal`, `restore-wal` and the credentials into a folder of PostgreSQL's account. Scripts, because PostgreSQL
 * runs its commands with a PATH of /usr/bin:/bin and without HOME, and because everyone can see arguments.
 */
export async function writeWalCommands(dir: string, bucket: BackupBucket): Promise<WalCommands> {
  const tools = await locateBackupTools();
  const account = serverAccount();
  const own = async (path: string): Promise<void> => {
    if (account !== undefined) await chown(path, account.uid, account.gid);
  };
  const write = async (name: string, text: string, mode: number): Promise<string> => {
    const path = join(dir, name);
    await rm(path, { force: true });
    await writeFile(path, text, { mode });
    await own(path);
    return path;
  };
  await makeFolder(dir, 0o700);
  await own(dir);
  const { credentials } = bucket;
  const credentialsFile =
    credentials === undefined
      ? undefined
      : await write(
          'credentials',
          `[default]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`,
          0o600,
        );
  const environment = barmanEnvironment(tools, { region: bucket.region, credentialsFile });
  const script = (args: readonly string[], rest: string): string =>
    [
      '#!/bin/sh',
      '# Written at each start; PostgreSQL runs it.',
      `exec env -i ${Object.entries(environment)
        .map(([name, value]) => quoted(`${name}=${value}`))
        .join(' ')} ${[tools.python, ...args].map(quoted).join(' ')} ${rest}`,
      '',
    ].join('\n');
  const place = [bucket.destination, bucket.serverName];
  const archive = await write(
    'archive-wal',
    script([...barmanArguments('walarchive', bucket), '--gzip', ...place], '"$1"'),
    0o700,
  );
  const restore = await write(
    'restore-wal',
    script([...barmanArguments('walrestore', bucket), ...place], '"$1" "$2"'),
    0o700,
  );
  return {
    archiveCommand: `${quoted(archive)} %p`,
    restoreCommand: `${quoted(restore)} %f %p`,
    credentialsFile,
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
