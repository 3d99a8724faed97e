import { ArchiveError, openArchive } from '#platform/archive';
import {
  AuditStreamError,
  loggedInterruptions,
  openStreamConsumer,
  readTrustRoot,
} from '#platform/audit-stream';
import { EventStoreError, openAsWorker } from '#platform/event-store';
import { processRegistry, runApp } from '#platform/process';
import { openDocumentProxy } from '#platform/signer';
import { archiverConfig } from './archiver.config';
import { ArchiverMetrics } from './archiver.metrics';
import { ARCHIVER, startArchiver } from './start-archiver';

/** A batch under way per shard would be more than one disk serves; the rest waits its turn. */
const MAX_CONNECTIONS = 10;
const MINUTE_MS = 60_000;

runApp({
  name: 'archiver',
  config: archiverConfig,
  explained: [EventStoreError, AuditStreamError, ArchiveError],
  async start(config, { logger, stopping, onStop }) {
    const { origin, shards } = config;
    const roots = readTrustRoot(config, origin);
    const metrics = new ArchiverMetrics(processRegistry);
    const archive = await openArchive(config, { observer: metrics, parallel: config.archiveParallel });
    onStop(() => archive.close());
    const proxy = openDocumentProxy(config, logger);
    onStop(() => proxy.close());
    const dataSource = await openAsWorker({
      origin,
      shards,
      databaseUrl: config.databaseUrl,
      name: 'archiver',
      connections: Math.min(shards + 3, MAX_CONNECTIONS),
    });
    onStop(() => dataSource.destroy());
    const consumer = openStreamConsumer(config, {
      consumer: ARCHIVER,
      shards,
      dataSource,
      observer: loggedInterruptions(logger),
      logger,
    });
    onStop(() => consumer.close());
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
      stopping,
    );
    onStop(() => archiver.close());
    logger.info({ managementPort: archiver.managementPort, origin, shards }, 'archiver is up');
    if (roots === null) logger.warn('trusts the first audit key of the chain: for development only');
    if (config.archive === 'fs')
      logger.warn('archives into a folder, which its owner can change: for development only');
  },
});
