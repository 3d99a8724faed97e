import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { openFolder } from './postgres-folder';
import { OWNER_ROLE, RUNTIME_ROLE, WORKER_ROLE } from './postgres-server';
import { serverAccount } from './system-account';
import { locateBackupTools } from '../backup/backup-tools';
import { DevstackError } from '../devstack.error';

/** An empty data folder that a base backup is put into. */
export interface RestoreFolder {
  /** As a path that PostgreSQL's account can reach. */
  readonly data: string;
  /** Empties it again, after a base backup that could not be used. */
  clear(): Promise<void>;
  /** Gives the roles the passwords that the stack logs in with. @param url of the recovered server, as the superuser */
  setPasswords?(url: string): Promise<void>;
}

/**
 * The data folder of a stack's database, to be restored; made when it is missing.
 * @throws DevstackError `state_broken` when there is anything in it
 */
export async function folderToRestore(dir: string): Promise<RestoreFolder> {
  const { data, initialised, passwords } = await openFolder(dir, serverAccount());
  if (initialised) throw notEmpty(data);
  const folder = await emptyFolder(data);
  return {
    ...folder,
    /** Those of the folder count: the file may be a newer one than the backup. */
    async setPasswords(url) {
      const client = new Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      try {
        for (const [role, password] of [
          ['postgres', passwords.superuser],
          [OWNER_ROLE, passwords.owner],
          [RUNTIME_ROLE, passwords.runtime],
          [WORKER_ROLE, passwords.worker],
        ] as const) {
          await client.query(`ALTER ROLE ${role} PASSWORD ${client.escapeLiteral(password)}`);
        }
      } finally {
        await client.end();
      }
    },
  };
}

/**
 * Has the server archive the history of its new timeline when it starts: it was promoted while it archived nothing, and without
 * that file a later restore from an older base backup would not find the way to this timeline.
 */
export async function archiveNewTimeline(data: string): Promise<void> {
  const wal = join(data, 'pg_wal');
  const newest = (await readdir(wal))
    .filter((name) => name.endsWith('.history'))
    .sort()
    .at(-1);
  if (newest === undefined) return;
  const ready = join(wal, 'archive_status', `${newest}.ready`);
  await writeFile(ready, '', { mode: 0o600 });
  const account = serverAccount();
  if (account !== undefined) await chown(ready, account.uid, account.gid);
}

/** Any folder; made when it is missing. @throws DevstackError `state_broken` when there is anything in it */
export async function emptyFolder(data: string): Promise<RestoreFolder> {
  if (existsSync(data) && (await readdir(data)).length > 0) throw notEmpty(data);
  const account = serverAccount();
  const make = async (): Promise<void> => {
    await mkdir(data, { recursive: true, mode: 0o700 });
    if (account !== undefined) await chown(data, account.uid, account.gid);
  };
  await make();
  return {
    data,
    async clear() {
      for (const name of await readdir(data)) await rm(join(data, name), { recursive: true, force: true });
    },
  };
}

/**
 * Reads every page of a data folder whose server has ended, and compares it with its checksum.
 * @returns `off` where the cluster has no checksums, or what pg_checksums complains about
 */
export async function checkPages(data: string): Promise<'checked' | 'off' | { damaged: string }> {
  const { pgChecksums } = await locateBackupTools();
  const account = serverAccount();
  try {
    await promisify(execFile)(pgChecksums, ['--check', '--pgdata', data], {
      cwd: dirname(data),
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    return 'checked';
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    if (stderr.includes('data checksums are not enabled')) return 'off';
    return { damaged: stderr.trim().split('\n').at(-1) ?? message };
  }
}

function notEmpty(data: string): DevstackError {
  return new DevstackError(
    'state_broken',
    `${data} is not empty: a backup is put into an empty folder only. Move away what is in it, and keep it until the restored database has been verified.`,
    { data },
  );
}
