import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { assertMigrated, openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type Environment, loadPart } from '#platform/process';
import { AuditStreamError, IntegrityFault, openStreamConsumer, readTrustRoot } from '#platform/audit-stream';
import { readEnvironmentFile, StateFolder } from '#dev/devstack';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../../api/connection';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, say, table } from '../../output/print';
import { defaultState } from '../../default-state';
import { type EventSource } from './event-source';
import { inSafeMode } from './in-safe-mode';
import { replay, type ReplayReport } from './replay-events';
import { openNamedArchive } from './open-named-archive';
import { replayConfig, type ReplayConfig, replayStreamConfig } from './replay.config';
import { progressLines } from './progress-lines';
import { type ReplayTarget } from './replay-target';
import { ArchiveSource } from './sources/archive-source';
import { StoreSource } from './sources/store-source';
import { StreamSource } from './sources/stream-source';
import { IndexTarget } from './targets/index-target';
import { StoreTarget, type StoreTargetOptions } from './targets/store-target';

type SourceName = 'archive' | 'kafka' | 'store';
type TargetName = 'index' | 'store';

export interface ReplayCommandOptions extends ConnectionOptions {
  from: SourceName;
  to: TargetName;
  safeMode?: true;
  signers?: string;
  archiveDir?: string;
  fresh?: true;
  json?: true;
  /** Prints no result. */
  quiet?: true;
  /** Set for a replay into the store (StoreTarget). */
  beforeFinish?: StoreTargetOptions['beforeFinish'];
}

/** Undefined: those of this process. */
type Variables = Environment | undefined;

/** What sources and targets are opened from. */
interface Place {
  variables: Variables;
  options: ReplayCommandOptions;
  dataSource: DataSource;
  databaseUrl: string;
  origin: string;
  shards: number;
}

const CONNECTIONS = 4;

export function addReplay(program: Command): void {
  withConnectionOptions(program.command('replay'), 'superadmin')
    .summary('rebuild what can be rebuilt, from verified events')
    .description(
      [
        'Reads events again, verifies every hash, link and signature, and rebuilds the index or the event store from them.',
        'Nothing is visible before everything is verified; an interrupted run is continued.',
        'The index: kernel and indexer may be at work. Needs the database as the workers’ role (DATABASE_URL), or a state',
        'folder of ./kernel up. With --safe-mode the kernel goes into safe-mode first, and leaves it when the index ends',
        'where the source ends; --as, --url, --ca, --cert and --key say which kernel that is.',
        'The event store: for a database that was lost, empty or restored from an old backup; one that holds anything but',
        'the beginning of the chain is refused. The kernel is in safe-mode until the store ends where the source ends.',
        'Needs the database as its owner (DATABASE_OWNER_URL; for an empty one also KERNEL_ORIGIN and KERNEL_SHARDS), or a',
        'state folder.',
      ].join(' '),
    )
    .addOption(
      new Option(
        '--from <source>',
        'where events are read: the archive (KERNEL_ARCHIVE_DIR or S3_*), the Kafka topic (KAFKA_*), or the event store',
      )
        .choices(['archive', 'kafka', 'store'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--to <target>', 'what is rebuilt').choices(['index', 'store']).makeOptionMandatory(),
    )
    .option(
      '--safe-mode',
      'nothing is written or signed while the index is rebuilt; asks the kernel for it, which takes the role SuperAdmin',
    )
    .option('--archive-dir <dir>', 'folder of the archive')
    .option('--signers <file>', 'signers.json, the trust root (default: KERNEL_TRUST_ROOT_FILE)')
    .option('--fresh', 'throw away what an interrupted run has left')
    .option('--json', 'print the result as JSON')
    .action(async (options: ReplayCommandOptions) => {
      await runReplay(options);
    });
}

/** Rebuilds index or store; prints the heads. @throws CliError naming the event that is wrong */
export async function runReplay(options: ReplayCommandOptions): Promise<void> {
  if (options.to === 'store' && (options.from === 'store' || options.fresh === true)) {
    throw new CliError(
      'wrong_usage',
      options.fresh === true
        ? 'An event store is never thrown away: leave --fresh out; existing events are compared and kept.'
        : 'The store cannot be rebuilt from itself; take --from archive or --from kafka.',
    );
  }
  const variables = await variablesOf(options);
  const config = loadPart(replayConfig, variables);
  const databaseUrl = databaseOf(config, options);
  if (databaseUrl === undefined) {
    const name = options.to === 'store' ? 'DATABASE_OWNER_URL' : 'DATABASE_URL';
    throw new CliError('wrong_usage', `The database is not named: set ${name}.`);
  }
  const dataSource = await openEventStoreDataSource({
    url: databaseUrl,
    poolSize: CONNECTIONS,
    applicationName: 'kernel-replay',
    statementTimeoutMs: 0,
  });
  const interrupted = new AbortController();
  const interrupt = (): void => {
    interrupted.abort(
      new CliError('failed', 'Interrupted; run it again to go on from here, or with --fresh from the start.'),
    );
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const opened: { close(): Promise<void> }[] = [];
  try {
    if (options.to === 'index') await assertMigrated(dataSource);
    const { origin, shards } = await chainOf(dataSource, config, options);
    const trustRootFile = options.signers ?? config.trustRootFile;
    const roots = readTrustRoot({ trustRootFile, isProduction: config.isProduction }, origin);
    if (roots === null) say('no trust root (--signers): trusts the keys of the founding');
    const place: Place = { variables, options, dataSource, databaseUrl, origin, shards };
    const source = await openSource(place);
    opened.push(source);
    const target = await openTarget(place, source);
    opened.push(target);
    const progress = progressLines(say);
    const rebuild = (): Promise<ReplayReport> =>
      replay({ source, target, roots, onProgress: progress, signal: interrupted.signal });
    const report = await meanwhile(options, rebuild);
    if (options.quiet === true) return;
    if (options.json === true) print(JSON.stringify(report, null, 2));
    else show(report, source, target);
  } catch (error) {
    throw explained(error, options.to);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    for (const one of opened.reverse()) await one.close();
    await dataSource.destroy();
  }
}

/** The event store manages the mode itself: its database knows it, whether a kernel runs or not. */
async function meanwhile(
  options: ReplayCommandOptions,
  rebuild: () => Promise<ReplayReport>,
): Promise<ReplayReport> {
  if (options.safeMode !== true || options.to === 'store') return rebuild();
  const api = new KernelApiClient(await connectionFrom(options));
  try {
    return await inSafeMode(api, rebuild);
  } finally {
    await api.close();
  }
}

/** The environment, or that of the named state folder, or, where nothing names a database, the default folder's. */
async function variablesOf(options: ReplayCommandOptions): Promise<Variables> {
  const { state } = options;
  if (state === undefined && databaseOf(loadPart(replayConfig), options) !== undefined) return undefined;
  const dir = resolve(state ?? defaultState());
  const folder = await StateFolder.find(dir);
  const file = folder?.environmentFile ?? join(dir, 'kernel.env');
  if (folder === undefined || !existsSync(file)) {
    throw new CliError(
      'not_running',
      `There is no kernel in ${dir}; name the database in DATABASE_URL, or a state folder with --state.`,
    );
  }
  return await readEnvironmentFile(file);
}

function databaseOf(config: ReplayConfig, { to }: ReplayCommandOptions): string | undefined {
  return to === 'store' ? config.databaseOwnerUrl : (config.databaseWorkerUrl ?? config.databaseUrl);
}

/** Origin and shards of the chain that the database holds; of an empty one, of the chain that it is to hold again. */
async function chainOf(
  dataSource: DataSource,
  { origin, shards }: ReplayConfig,
  { to }: ReplayCommandOptions,
): Promise<{ origin: string; shards: number }> {
  const [present] = await dataSource.query<{ there: boolean }[]>(
    `SELECT to_regclass('kernel.chain') IS NOT NULL AS there`,
  );
  const [chain] =
    present?.there === true
      ? await dataSource.query<{ origin: string; shards: number }[]>(
          'SELECT origin, shards FROM kernel.chain',
        )
      : [];
  if (chain === undefined) {
    if (to === 'index') throw new CliError('failed', 'The database does not say whose chain it holds.');
    if (origin === undefined) {
      throw new CliError(
        'wrong_usage',
        'The database is empty: set KERNEL_ORIGIN, and KERNEL_SHARDS when there was more than one, to what they were.',
      );
    }
    return { origin, shards: shards ?? 1 };
  }
  if (origin !== undefined && origin !== chain.origin) {
    throw new CliError('wrong_usage', `The database holds the chain of ${chain.origin}, not of ${origin}.`);
  }
  return chain;
}

async function openSource({ variables, options, dataSource, shards }: Place): Promise<EventSource> {
  switch (options.from) {
    case 'store':
      return new StoreSource(dataSource, shards);
    case 'kafka': {
      const settings = loadPart(replayStreamConfig, variables, { KERNEL_STREAM: 'kafka' });
      const consumer = openStreamConsumer(settings, { consumer: 'replay', shards, dataSource });
      return new StreamSource(consumer, dataSource, `the topic ${settings.kafkaTopic}`);
    }
    case 'archive': {
      const { archive, name } = await openNamedArchive(variables, options.archiveDir);
      return new ArchiveSource(archive, name);
    }
  }
}

async function openTarget(
  { options, dataSource, databaseUrl, origin, shards }: Place,
  source: EventSource,
): Promise<ReplayTarget> {
  switch (options.to) {
    case 'index':
      return IndexTarget.open({ dataSource, origin, shards, fresh: options.fresh === true });
    case 'store':
      return StoreTarget.open({
        ownerUrl: databaseUrl,
        origin,
        shards,
        sourceName: source.name,
        beforeFinish: options.beforeFinish,
      });
  }
}

function show({ heads, events, seconds }: ReplayReport, source: EventSource, target: ReplayTarget): void {
  const rate = seconds > 0 ? Math.round(events / seconds).toLocaleString('en-US') : '';
  say(
    `${target.name} was rebuilt from ${source.name}: ${events.toLocaleString('en-US')} events verified in ${seconds.toFixed(1)} s (${rate}/s)`,
  );
  print(
    table(
      heads.map(({ shard, seq, hash, storeSeq }) => ({
        shard,
        seq,
        hash,
        ...(storeSeq === null ? {} : { 'in the store': storeSeq }),
      })),
    ),
  );
  const behind = heads.filter(({ seq, storeSeq }) => storeSeq !== null && storeSeq > seq);
  if (behind.length > 0) say('what the store has beyond that follows over the stream');
}

/** Errors of the chain and of the stream have a sentence; it ends the command. */
function explained(error: unknown, to: TargetName): unknown {
  if (error instanceof IntegrityFault) {
    return new CliError(
      'failed',
      `${error.message} ${to === 'index' ? 'Nothing was changed.' : 'A kernel that is in safe-mode for it stays there.'}`,
      { kind: error.kind },
      { cause: error },
    );
  }
  if (error instanceof AuditStreamError) return new CliError('failed', error.message, {}, { cause: error });
  return error;
}
