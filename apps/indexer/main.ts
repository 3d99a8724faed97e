import {
  AuditStreamError,
  INDEX_CONSUMER,
  loggedInterruptions,
  openStreamConsumer,
  readTrustRoot,
} from '#platform/audit-stream';
import { EventStoreError, openAsWorker } from '#platform/event-store';
import { runApp } from '#platform/process';
import { indexerConfig } from './indexer.config';
import { startIndexer } from './start-indexer';

/** A batch under way per shard would be more than one disk serves; the rest waits its turn. */
const MAX_CONNECTIONS = 10;

runApp({
  name: 'indexer',
  config: indexerConfig,
  explained: [EventStoreError, AuditStreamError],
  async start(config, { logger, onStop }) {
    const { origin, shards } = config;
    const roots = readTrustRoot(config, origin);
    const dataSource = await openAsWorker({
      origin,
      shards,
      databaseUrl: config.databaseUrl,
      name: 'indexer',
      connections: Math.min(shards + 2, MAX_CONNECTIONS),
    });
    onStop(() => dataSource.destroy());
    const consumer = openStreamConsumer(config, {
      consumer: INDEX_CONSUMER,
      shards,
      dataSource,
      observer: loggedInterruptions(logger),
      logger,
    });
    onStop(() => consumer.close());
    const indexer = await startIndexer({
      origin,
      shards,
      dataSource,
      consumer,
      roots,
      logger,
      management: { host: config.managementHost, port: config.managementPort },
    });
    onStop(() => indexer.close());
    logger.info({ managementPort: indexer.managementPort, origin, shards }, 'indexer is up');
    if (roots === null) logger.warn('trusts the first audit key of the chain: for development only');
  },
});
