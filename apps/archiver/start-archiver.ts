import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions } from '@nestjs/microservices';
import { assertMigrated } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type Archive, ArchiveError } from '#platform/archive';
import {
  type AuditStreamConsumer,
  AuditStreamServer,
  consumerLag,
  PipelineMetrics,
  registryEventsOf,
  ShardRunner,
  StreamPositions,
  TrustedKeys,
} from '#platform/audit-stream';
import { KeyTrust, registeredSigners, type SignerEntry } from '#evidence';
import { type Logger, NestLogger, type Registry, startManagementServer } from '#platform/process';
import { DocumentSigner, type SigningProxyClient } from '#platform/signer';
import { type ArchiverMetrics } from './archiver.metrics';
import { ArchiverModule } from './archiver.module';
import { DayManifests } from './day-manifests/day-manifests';
import { ShardDays } from './day-manifests/shard-days';
import { ArchiveEvents } from './events/archive-events';
import { ApplyHolds } from './legal-holds/apply-holds';
import { HoldEvents } from './legal-holds/hold-events';

export interface ArchiverOptions {
  origin: string;
  shards: number;
  dataSource: DataSource;
  consumer: AuditStreamConsumer;
  archive: Archive;
  /** Nothing is archived before the archive has proved that it cannot be changed. */
  protectedOnly: boolean;
  proxy: Pick<SigningProxyClient, 'keys' | 'sign'>;
  /** The trust root; null: the first audit key that registers itself is trusted. */
  roots: readonly SignerEntry[] | null;
  dayGraceMs: number;
  /** How often days and holds are looked at without being told; for tests. */
  everyMs?: number;
  metrics: ArchiverMetrics;
  registry: Registry;
  logger: Logger;
  management: { host: string; port: number };
}

export interface RunningArchiver {
  managementPort: number;
  /** Turns /ready red, lets the uploads at hand end, then stops. What was given to it stays open. */
  close(): Promise<void>;
}

/** Consumer of kernel.stream_positions. */
export const ARCHIVER = 'archiver';
/** While the archive does not answer at the start. */
const PROTECTION_RETRY_MS = 2_000;

/** @throws ArchiveError `not_protected` when only a protected archive will do and this is none */
export async function startArchiver(
  options: ArchiverOptions,
  signal?: AbortSignal,
): Promise<RunningArchiver> {
  const { origin, shards, dataSource, archive, consumer, logger, metrics, registry, roots } = options;
  const pipeline = new PipelineMetrics({
    stage: ARCHIVER,
    registry,
    lag: () => consumerLag(dataSource, ARCHIVER),
  });
  const registryEvents = () => registryEventsOf(dataSource);
  const runner = new ShardRunner({
    origin,
    consumer,
    keys: new TrustedKeys({ origin, roots, registryEvents }),
    logger,
    metrics: pipeline,
  });
  const registered = async (): Promise<SignerEntry[]> => {
    const trust = new KeyTrust(origin, roots);
    trust.learn(await registryEvents());
    return registeredSigners(trust.registry);
  };
  const every = options.everyMs === undefined ? {} : { everyMs: options.everyMs };
  const manifests = new DayManifests({
    origin,
    shards,
    archive,
    days: new ShardDays(dataSource, ARCHIVER, options.dayGraceMs),
    signer: new DocumentSigner(options.proxy, registered),
    registered,
    metrics,
    logger,
    ...every,
  });
  const holds = new ApplyHolds({ dataSource, archive, metrics, logger, ...every });
  const events = new ArchiveEvents(
    archive,
    new StreamPositions(dataSource, ARCHIVER, origin),
    new HoldEvents(dataSource, () => holds.wake()),
    metrics,
    (shard, { event }) => manifests.onArchived(shard, event.ts),
  );
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(ArchiverModule.register(events), {
    strategy: new AuditStreamServer({ shards, follow: runner.follow }),
    logger: new NestLogger(logger.child({}, { level: 'warn' })),
    abortOnError: false,
  });
  let protection: string | null = options.protectedOnly ? 'its protection has not been checked yet' : null;
  const management = await startManagementServer({
    ...options.management,
    logger,
    registry,
    checks: {
      postgres: async () => assertMigrated(dataSource, { origin, shards }),
      stream: () => consumer.check(),
      archive: async () => {
        if (protection !== null) throw new Error(`The archive is not used: ${protection}.`);
      },
      shards: () => runner.check(),
      day_manifests: async () => manifests.check(),
    },
  });
  const close = async (): Promise<void> => {
    management.drain();
    await app.close();
    await Promise.all([manifests.stop(), holds.stop()]);
    await management.close();
  };
  try {
    if (options.protectedOnly) {
      await whenProtected(archive, logger, signal, (why) => {
        protection = why;
      });
      protection = null;
    }
    await app.listen();
    manifests.start();
    holds.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { managementPort: management.port, close };
}

/** A store that does not answer may be back soon; one that answers that it protects nothing is refused. */
async function whenProtected(
  archive: Archive,
  logger: Logger,
  signal: AbortSignal | undefined,
  waits: (why: string) => void,
): Promise<void> {
  for (;;) {
    try {
      await archive.assertProtected();
      return;
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code !== 'unavailable') throw error;
      logger.warn({ err: error }, 'the archive does not answer; waits for it');
      waits(error.message);
    }
    await delay(PROTECTION_RETRY_MS, undefined, { ...(signal === undefined ? {} : { signal }) });
  }
}
