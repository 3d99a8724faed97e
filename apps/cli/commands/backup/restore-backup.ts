import { resolve } from 'node:path';
import { readTrustRoot } from '#platform/audit-stream';
import { markRestoring, openEventStoreDataSource } from '#platform/event-store';
import { loadPart } from '#platform/process';
import {
  archiveNewTimeline,
  emptyFolder,
  folderToRestore,
  isRunning,
  readEnvironmentFile,
  readRun,
  StateFolder,
} from '#dev/devstack';
import { cliConfig } from '../../cli.config';
import { CliError } from '../../cli.error';
import { say } from '../../output/print';
import { marksOf } from '../keys/restore-window';
import { openNamedArchive } from '../replay/open-named-archive';
import { runReplay } from '../replay/replay.command';
import { runDetached } from '../up/detached';
import { replayConfig } from '../replay/replay.config';
import { serversFrom } from '../up/servers';
import { compareHeads } from './compare-heads';
import { type OpenBackups } from './open-backups';
import { recoverBackup } from './recover-backup';

export interface RestoreOptions {
  state?: string;
  dataDir?: string;
  to: Date | null;
  backup?: string;
  signers?: string;
  archiveDir?: string;
}

export interface RestoredBackup {
  readonly backup: string;
  readonly newestWal: string;
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
  readonly dataDirectory: string;
  /** Last transaction that the log brought back. */
  readonly lastTransaction: Date | null;
  /** Heads of the database as the backup gave it. */
  readonly recovered: readonly { shard: number; seq: number; hash: string }[];
  /** Heads after the replay from the archive; null when only a data folder was restored. */
  readonly heads: readonly { shard: number; seq: number; hash: string }[] | null;
  /** Until PostgreSQL had recovered, and until the kernel could be written to again. */
  readonly seconds: { readonly recovery: number; readonly whole: number };
}

type Head = { shard: number; seq: number; hash: string };

/** Puts the database back: base backup, log, archive; the kernel writes again only when all that remembers the chain agrees. */
export async function restoreBackup(
  backups: OpenBackups,
  options: RestoreOptions,
  limitMs: number,
): Promise<RestoredBackup> {
  const started = performance.now();
  const since = (): number => (performance.now() - started) / 1_000;
  const state = options.state === undefined ? undefined : await stoppedState(options.state);
  const folder =
    state === undefined
      ? await emptyFolder(resolve(options.dataDir ?? ''))
      : await folderToRestore(state.postgres);
  const { base, skipped, newestWal, cluster } = await recoverBackup(backups, {
    folder,
    to: options.to,
    backup: options.backup,
    limitMs,
  });
  let recovered: Head[];
  try {
    const url = cluster.urlOf(backups.settings.backupDatabase);
    // Before anyone can start a kernel on it.
    await markRestoring(
      url,
      `The database was restored from the backup ${base.id}; the archive says what it lacks.`,
    );
    recovered = await headsOf(url);
    await folder.setPasswords?.(cluster.urlOf('postgres'));
  } finally {
    await cluster.stop();
  }
  await archiveNewTimeline(folder.data);
  const recovery = since();
  const report = {
    backup: base.id,
    newestWal,
    skipped,
    dataDirectory: folder.data,
    lastTransaction: cluster.lastTransaction,
    recovered,
  };
  if (state === undefined) return { ...report, heads: null, seconds: { recovery, whole: since() } };
  say('starting the kernel, in safe-mode');
  await runDetached({ state: state.dir, ...serversFrom(loadPart(cliConfig)), backup: backups.bucket }, say);
  let heads: readonly Head[] = [];
  await runReplay({
    from: 'archive',
    to: 'store',
    state: state.dir,
    as: 'superadmin',
    quiet: true,
    ...(options.signers === undefined ? {} : { signers: options.signers }),
    ...(options.archiveDir === undefined ? {} : { archiveDir: options.archiveDir }),
    beforeFinish: async (ends) => {
      heads = ends.map(({ shard, seq, hash }) => ({ shard, seq, hash }));
      await assertRemembered(ends, state, options);
    },
  });
  return { ...report, heads, seconds: { recovery, whole: since() } };
}

/** The state folder, with no kernel running on it. */
async function stoppedState(path: string): Promise<StateFolder> {
  const dir = resolve(path);
  const folder = await StateFolder.find(dir);
  if (folder === undefined) {
    throw new CliError(
      'not_running',
      `There is no kernel in ${dir}. A restore needs the state folder with everything but the database: keys, certificates, row key, signing marks (docs/backup.md).`,
    );
  }
  const run = readRun(dir);
  if (run !== undefined && isRunning(run.supervisor)) {
    throw new CliError(
      'wrong_usage',
      `The kernel in ${dir} is running; stop it first: ./kernel down --state ${dir}`,
    );
  }
  return folder;
}

async function headsOf(url: string): Promise<Head[]> {
  const dataSource = await openEventStoreDataSource({ url, poolSize: 1, applicationName: 'kernel-backup' });
  try {
    const rows = await dataSource.query<{ shard: number; seq: string; hash: string }[]>(
      `SELECT shard, seq, encode(hash, 'hex') AS hash FROM kernel.shard_head ORDER BY shard`,
    );
    return rows.map(({ shard, seq, hash }) => ({ shard, seq: Number(seq), hash }));
  } finally {
    await dataSource.destroy();
  }
}

/**
 * Everything outside the database that remembers the chain has to agree before anyone may write: the archive and the published
 * log, event by event at the ends, and the signing proxy's marks.
 * @throws CliError naming each shard; the kernel stays in safe-mode
 */
async function assertRemembered(
  ends: readonly Head[],
  state: StateFolder,
  options: RestoreOptions,
): Promise<void> {
  const variables = await readEnvironmentFile(state.environmentFile);
  const config = loadPart(replayConfig, variables);
  const { origin, shards } = state.record;
  const { archive } = await openNamedArchive(variables, options.archiveDir);
  const dataSource = await openEventStoreDataSource({
    url: config.databaseOwnerUrl ?? '',
    poolSize: 2,
    applicationName: 'kernel-backup',
  });
  try {
    const trustRootFile = options.signers ?? config.trustRootFile;
    const roots = readTrustRoot({ trustRootFile, isProduction: config.isProduction }, origin);
    const { problems } = await compareHeads({ dataSource, origin, shards, roots, archive });
    const marks = await marksOf({ state: state.dir, as: 'operator' });
    const disagreements = [...problems, ...ends.flatMap((end) => markProblem(end, marks))];
    if (disagreements.length > 0) {
      throw new CliError(
        'failed',
        `The kernel stays in safe-mode, since what remembers the chain does not agree with the restored store. ${disagreements.join(' ')} See runbooks/restore-drill.md.`,
      );
    }
  } finally {
    await dataSource.destroy();
    await archive.close();
  }
}

/** What the signing proxy's marks say against the end of a shard. */
export function markProblem(
  { shard, seq }: { shard: number; seq: number },
  marks: readonly { shard: number; seq: number; signed: number }[],
): string[] {
  const mark = marks.find((one) => one.shard === shard);
  if (mark === undefined) {
    return seq === 0
      ? []
      : [`Shard ${shard} ends at ${seq}, and the signing proxy has no mark of it: its marks are lost.`];
  }
  if (seq < mark.seq) {
    return [
      `Shard ${shard} ends at ${seq}, but signed events build on ${mark.seq}: events between are in no archive.`,
    ];
  }
  if (seq > mark.signed) {
    return [
      `Shard ${shard} ends at ${seq}, but the signing proxy signed nothing after ${mark.signed}: its marks are older than the chain.`,
    ];
  }
  return [];
}
