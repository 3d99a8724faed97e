import { createHash, randomBytes } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { chown, lstat, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { rootOwnedBase } from './postgres-binaries';
import { reachableBy, type SystemAccount } from './system-account';
import { DevstackError } from '../devstack.error';
import { makeFolder } from '../process/folder';

export interface PostgresPasswords {
  superuser: string;
  owner: string;
  runtime: string;
  worker: string;
}

export interface PostgresFolder {
  /** The folder that the caller named. */
  dir: string;
  /** The cluster itself, as a path that the server's account can reach. */
  data: string;
  passwords: PostgresPasswords;
  initialised: boolean;
}

/**
 * Opens or prepares `dir` for a cluster: `passwords.json` (0600) and `data`. When the server's account cannot reach
 * the folder (it lies in root's home), `data` is a link to a folder outside that it owns.
 */
export async function openFolder(dir: string, account: SystemAccount | undefined): Promise<PostgresFolder> {
  await makeFolder(dir, 0o755);
  const passwordFile = join(dir, 'passwords.json');
  const data = await placeOfData(dir, account);
  const initialised = existsSync(join(data, 'PG_VERSION'));
  await mendModes(data, initialised, account);
  if (!initialised && existsSync(data) && (await readdir(data)).length > 0) {
    throw new DevstackError(
      'state_broken',
      `${data} is not a PostgreSQL data folder but is not empty; move it away or choose another state folder.`,
      { data },
    );
  }
  if (initialised && !existsSync(passwordFile)) {
    throw new DevstackError(
      'state_broken',
      `${passwordFile} is missing, so nobody can log in to the database beside it; restore it or choose another state folder.`,
      { passwordFile },
    );
  }
  return { dir, data, passwords: await passwordsIn(passwordFile), initialised };
}

async function passwordsIn(file: string): Promise<PostgresPasswords> {
  if (existsSync(file)) {
    try {
      const { superuser, owner, runtime, worker } = JSON.parse(
        await readFile(file, 'utf8'),
      ) as Partial<PostgresPasswords>;
      if (isPassword(superuser) && isPassword(owner) && isPassword(runtime)) {
        if (isPassword(worker)) return { superuser, owner, runtime, worker };
        // A folder from before there were workers: their role is made at the next start, with this password.
        return await writePasswords(file, { superuser, owner, runtime, worker: secret() });
      }
    } catch (cause) {
      throw broken(file, cause);
    }
    throw broken(file, undefined);
  }
  return await writePasswords(file, {
    superuser: secret(),
    owner: secret(),
    runtime: secret(),
    worker: secret(),
  });
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

function isPassword(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

async function writePasswords(file: string, passwords: PostgresPasswords): Promise<PostgresPasswords> {
  await writeFile(`${file}.partial`, `${JSON.stringify(passwords, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.partial`, file);
  return passwords;
}

function broken(file: string, cause: unknown): DevstackError {
  return new DevstackError(
    'state_broken',
    `${file} cannot be read as the database passwords; restore it or choose another state folder.`,
    { file },
    { cause },
  );
}

async function placeOfData(dir: string, account: SystemAccount | undefined): Promise<string> {
  const local = join(dir, 'data');
  if (existsSync(local)) return realpathSync(local);
  if (account === undefined || (await reachableBy(dir, account))) return local;
  const base = join(await rootOwnedBase(), 'clusters');
  await makeFolder(base, 0o755);
  await removeAbandoned(base);
  const outside = join(base, createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 24));
  // What is left there belongs to an earlier folder of the same name that was deleted.
  await rm(outside, { recursive: true, force: true });
  await makeFolder(outside, 0o755);
  await writeFile(join(outside, 'belongs-to'), local);
  const data = join(outside, 'data');
  await makeFolder(data, 0o700);
  await chown(data, account.uid, account.gid);
  await rm(local, { force: true });
  await symlink(data, local);
  return data;
}

/** PostgreSQL starts only on a folder of mode 0700 that its account can reach. */
async function mendModes(
  data: string,
  initialised: boolean,
  account: SystemAccount | undefined,
): Promise<void> {
  if (initialised) await makeFolder(data, 0o700);
  const parent = dirname(data);
  if (account === undefined || (await reachableBy(parent, account))) return;
  await makeFolder(parent, 0o755);
  if (await reachableBy(parent, account)) return;
  throw new DevstackError(
    'state_broken',
    `PostgreSQL runs as the account ${account.name}, which may not enter ${parent}; let it in (chmod o+x on each folder of that path), or choose another folder with --state.`,
    { data, account: account.name },
  );
}

/** Clusters outside whose state folder was deleted: deleting that folder must delete the data too, if a little later. */
async function removeAbandoned(base: string): Promise<void> {
  for (const entry of await readdir(base)) {
    const outside = join(base, entry);
    try {
      const link = await readFile(join(outside, 'belongs-to'), 'utf8');
      if ((await lstat(link)).isSymbolicLink() && (await readlink(link)) === join(outside, 'data')) continue;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') continue;
    }
    await rm(outside, { recursive: true, force: true });
  }
}
