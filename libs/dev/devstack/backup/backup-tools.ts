import { existsSync } from 'node:fs';
import { chmod, cp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { rootOwnedBase } from '../postgres/postgres-binaries';
import { reachableBy, serverAccount } from '../postgres/system-account';
import { DevstackError } from '../devstack.error';
import { userCache } from '../process/user-cache';

/** Versions that scripts/install-backup-tools.sh fetches. */
export const BARMAN_VERSION = '3.19.1';
export const CHECKSUMS_VERSION = '18.6.3';

/** barman-cloud and pg_checksums, in a place that the database's account can enter. */
export interface BackupTools {
  /** The Python that psycopg2 was built for. */
  readonly python: string;
  /** Folder of its packages: PYTHONPATH. */
  readonly site: string;
  readonly pgChecksums: string;
}

export type BarmanTool = 'backup' | 'backup_delete' | 'restore' | 'walarchive' | 'walrestore';

/** Where scripts/install-backup-tools.sh puts them: in the user's cache, outside any checkout. */
export function backupToolsFolder(): string {
  return join(userCache(), `backup-tools-${BARMAN_VERSION}-${CHECKSUMS_VERSION}`);
}

/** Why there are no backups here, or null when there can be. */
export function backupToolsMissing(): string | null {
  return existsSync(join(backupToolsFolder(), 'python'))
    ? null
    : `barman-cloud ${BARMAN_VERSION} is not installed (scripts/install-backup-tools.sh fetches it with pip)`;
}

/** @throws DevstackError `tool_missing` */
export async function locateBackupTools(): Promise<BackupTools> {
  const missing = backupToolsMissing();
  if (missing !== null) throw new DevstackError('tool_missing', `Backups need barman-cloud: ${missing}.`);
  let folder = backupToolsFolder();
  const account = serverAccount();
  if (account !== undefined && !(await reachableBy(folder, account))) folder = await copyOnce(folder);
  return {
    python: (await readFile(join(folder, 'python'), 'utf8')).trim(),
    site: join(folder, 'site'),
    pgChecksums: join(folder, 'postgres', 'embedded_postgres', 'pginstall', 'bin', 'pg_checksums'),
  };
}

/** PostgreSQL's account runs archive_command. A Python that it cannot execute would make every backup wait for ever. */
async function copyOnce(folder: string): Promise<string> {
  const target = join(await rootOwnedBase(), `backup-tools-${BARMAN_VERSION}-${CHECKSUMS_VERSION}`);
  if (existsSync(target)) return target;
  const partial = `${target}.${process.pid}.partial`;
  await cp(folder, partial, { recursive: true, verbatimSymlinks: true });
  for (const entry of await readdir(partial, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
  await chmod(partial, 0o755);
  try {
    await rename(partial, target);
  } catch (error) {
    // Another process was first: its copy is the same.
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Where a tool is to look, beside its own arguments. */
export interface BarmanPlace {
  readonly destination: string;
  readonly serverName: string;
  readonly endpoint: string | undefined;
}

/** Arguments of Python that run one of barman-cloud's programs; the caller's follow. */
export function barmanArguments(tool: BarmanTool, { endpoint }: BarmanPlace): string[] {
  return [
    '-m',
    `barman.clients.cloud_${tool}`,
    ...['--cloud-provider', 'aws-s3'],
    ...(endpoint === undefined ? [] : ['--endpoint-url', endpoint]),
  ];
}

/** The environment that it needs: nothing is inherited. Credentials go by a file, which nobody else can read. */
export function barmanEnvironment(
  tools: BackupTools,
  { region, credentialsFile }: { region: string; credentialsFile: string | undefined },
): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    PYTHONPATH: tools.site,
    PYTHONDONTWRITEBYTECODE: '1',
    AWS_DEFAULT_REGION: region,
    // The SDK's newer default is a trailing checksum, which not every S3 server takes.
    AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
    AWS_RESPONSE_CHECKSUM_VALIDATION: 'when_required',
    // Nothing of the person who runs it counts, only what is named.
    AWS_CONFIG_FILE: '/dev/null',
    ...(credentialsFile === undefined ? {} : { AWS_SHARED_CREDENTIALS_FILE: credentialsFile }),
  };
}
