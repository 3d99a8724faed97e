import { AuditStreamError, loggedInterruptions, openStreamConsumer, readTrustRoot } from '#libs/audit-stream';
import { INDEX_CONSUMER } from '#libs/audit-index';
import { ConfigError, loadConfig } from '#libs/config';
import {
  assertMigrated,
  assertWorkerRole,
  EventStoreError,
  openEventStoreDataSource,
} from '#libs/event-store';
import { createLogger } from '#libs/observability';
import { indexerConfig, type IndexerConfig } from './indexer.config';
import { startIndexer } from './start-indexer';

/** A batch under way per shard would be more than one disk serves; the rest waits its turn. */
const MAX_CONNECTIONS = 10;

async function main(config: IndexerConfig): Promise<void> {
  const logger = createLogger({ app: 'indexer', level: config.logLevel });
  const { origin, shards } = config;
  const roots = readTrustRoot(config, origin);
  const dataSource = await openEventStoreDataSource({
    url: config.databaseUrl,
    poolSize: Math.min(shards + 2, MAX_CONNECTIONS),
    applicationName: 'indexer',
  });
  await assertMigrated(dataSource, { origin, shards });
  await assertWorkerRole(dataSource);
  const consumer = openStreamConsumer(config, {
    consumer: INDEX_CONSUMER,
    shards,
    dataSource,
    observer: loggedInterruptions(logger),
  });
  const indexer = await startIndexer({
    origin,
    shards,
    dataSource,
    consumer,
    roots,
    logger,
    management: { host: config.managementHost, port: config.managementPort },
  });
  logger.info({ managementPort: indexer.managementPort, origin, shards }, 'indexer is up');
  if (roots === null) logger.warn('trusts the first audit key of the chain: for development only');

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'indexer stops');
    indexer
      .close()
      .then(() => consumer.close())
      .then(() => dataSource.destroy())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.fatal({ err: error }, 'the indexer could not stop in order');
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** Faults of the deployment get one sentence; anything else is a fault of ours and shows where it came from. */
function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof EventStoreError || error instanceof AuditStreamError) {
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
  process.stderr.write(`indexer: ${explain(error)}\n`);
  process.exit(1);
}

try {
  main(loadConfig(indexerConfig)).catch(fail);
} catch (error) {
  fail(error);
}
