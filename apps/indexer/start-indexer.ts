import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions } from '@nestjs/microservices';
import { assertMigrated } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { divisionOf } from '#platform/edge';
import {
  type AuditStreamConsumer,
  AuditStreamServer,
  consumerLag,
  INDEX_CONSUMER,
  IndexWriter,
  PipelineMetrics,
  registryEventsOf,
  ShardRunner,
  TrustedKeys,
} from '#platform/audit-stream';
import { type SignerEntry } from '#evidence';
import {
  type Logger,
  NestLogger,
  processRegistry,
  type Registry,
  startManagementServer,
} from '#platform/process';
import { IndexerModule } from './indexer.module';

export interface IndexerOptions {
  origin: string;
  shards: number;
  /** Initialised, as the workers' role; stays the caller's. */
  dataSource: DataSource;
  /** Stays the caller's. */
  consumer: AuditStreamConsumer;
  /** The trust root; null: the first audit key that registers itself is trusted. */
  roots: readonly SignerEntry[] | null;
  logger: Logger;
  management: { host: string; port: number };
  registry?: Registry;
  /** How often a shard that stopped is tried again. */
  recheckMs?: number;
}

export interface RunningIndexer {
  managementPort: number;
  /** Turns /ready red, finishes the batches at hand, then ends. */
  close(): Promise<void>;
}

/** Follows the stream in every shard, and puts what is verified into the audit index. */
export async function startIndexer(options: IndexerOptions): Promise<RunningIndexer> {
  const { origin, shards, dataSource, consumer, roots, logger, registry = processRegistry } = options;
  const index = new IndexWriter({ dataSource, origin, divisionOf });
  const runner = new ShardRunner({
    origin,
    consumer,
    keys: new TrustedKeys({ origin, roots, registryEvents: () => registryEventsOf(dataSource) }),
    logger,
    metrics: new PipelineMetrics({
      stage: 'indexer',
      registry,
      lag: () => consumerLag(dataSource, INDEX_CONSUMER),
    }),
    storedHashes: index.storedHashes,
    ...(options.recheckMs === undefined ? {} : { recheckMs: options.recheckMs }),
  });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(IndexerModule.register(index), {
    strategy: new AuditStreamServer({ shards, follow: runner.follow }),
    logger: new NestLogger(logger.child({}, { level: 'warn' })),
    abortOnError: false,
  });
  const management = await startManagementServer({
    ...options.management,
    logger,
    registry,
    checks: {
      postgres: async () => assertMigrated(dataSource, { origin, shards }),
      stream: () => consumer.check(),
      shards: () => runner.check(),
    },
  });
  await app.listen();
  return {
    managementPort: management.port,
    async close() {
      management.drain();
      await app.close();
      await management.close();
    },
  };
}
