import { readFileSync } from 'node:fs';
import { ArchiveError, openArchive } from '#libs/archive';
import { AuditStreamError, openStreamConsumer, readTrustRoot } from '#libs/audit-stream';
import { ConfigError, loadConfig } from '#libs/config';
import {
  assertMigrated,
  assertWorkerRole,
  EventStoreError,
  openEventStoreDataSource,
} from '#libs/event-store';
import { createLogger, processRegistry } from '#libs/observability';
import { SigningProxyClient } from '#libs/signer';
import { archiverConfig, type ArchiverConfig } from './archiver.config';
import { ArchiverMetrics } from './archiver.metrics';
import { ARCHIVER, startArchiver } from './start-archiver';

/** A batch under way per shard would be more than one disk serves; the rest waits its turn. */
const MAX_CONNECTIONS = 10;
/** Manifests are no caller's request: they can wait for a token that is busy. */
const SIGNING_TIMEOUT_MS = 10_000;
const MINUTE_MS = 60_000;

async function main(config: ArchiverConfig): Promise<void> {
  const logger = createLogger({ app: 'archiver', level: config.logLevel });
  const { origin, shards } = config;
  const roots = readTrustRoot(config, origin);
  const metrics = new ArchiverMetrics(processRegistry);
  const archive = await openArchive(config, { observer: metrics, parallel: config.archiveParallel });
  const proxy = new SigningProxyClient({
    url: config.kmsEndpoint,
    ca: readFileSync(config.kmsCaFile),
    cert: readFileSync(config.kmsClientCertFile),
    key: readFileSync(config.kmsClientKeyFile),
    timeoutMs: SIGNING_TIMEOUT_MS,
  });
  const dataSource = await openEventStoreDataSource({
    url: config.databaseUrl,
    poolSize: Math.min(shards + 3, MAX_CONNECTIONS),
    applicationName: 'archiver',
  });
  await assertMigrated(dataSource, { origin, shards });
  await assertWorkerRole(dataSource);
  const consumer = openStreamConsumer(config, { consumer: ARCHIVER, shards, dataSource });

  const starting = new AbortController();
  let close = (): Promise<void> => {
    starting.abort();
    return Promise.resolve();
  };
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'archiver stops');
    close()
      .then(() => consumer.close())
      .then(() => Promise.all([archive.close(), proxy.close()]))
      .then(() => dataSource.destroy())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.fatal({ err: error }, 'the archiver could not stop in order');
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  const archiver = await startArchiver(
    {
      origin,
      shards,
      dataSource,
      consumer,
      archive,
      protectedOnly: config.isProduction,
      proxy,
      roots,
      dayGraceMs: config.archiveDayGraceMinutes * MINUTE_MS,
      metrics,
      registry: processRegistry,
      logger,
      management: { host: config.managementHost, port: config.managementPort },
    },
    starting.signal,
  ).catch((error: unknown) => {
    // Told to stop while it waited for the archive.
    if (starting.signal.aborted) return null;
    throw error;
  });
  if (archiver === null) return;
  close = () => archiver.close();
  logger.info({ managementPort: archiver.managementPort, origin, shards }, 'archiver is up');
  if (roots === null) logger.warn('trusts the first audit key of the chain: for development only');
  if (config.archive === 'fs')
    logger.warn('archives into a folder, which its owner can change: for development only');
}

/** Faults of the deployment get one sentence; anything else is a fault of ours and shows where it came from. */
function explain(error: unknown): string {
  if (
    error instanceof ConfigError ||
    error instanceof EventStoreError ||
    error instanceof AuditStreamError ||
    error instanceof ArchiveError
  ) {
    return error.message;
  }
  const { syscall, severity, code, message } = error as NodeJS.ErrnoException & { severity?: string };
  if (syscall === 'listen') return `it cannot listen: ${message}.`;
  if (syscall === 'connect' || severity !== undefined || error instanceof AggregateError) {
    return `PostgreSQL (DATABASE_URL) cannot be used: ${message || code}.`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function fail(error: unknown): never {
  process.stderr.write(`archiver: ${explain(error)}\n`);
  process.exit(1);
}

try {
  main(loadConfig(archiverConfig)).catch(fail);
} catch (error) {
  fail(error);
}
