import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions } from '@nestjs/microservices';
import { type SignerEntry } from '#evidence';
import { assertMigrated } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import {
  type Logger,
  type ManagementPlace,
  NestLogger,
  processRegistry,
  type ReadinessCheck,
  type Registry,
  startManagementServer,
} from '#platform/process';
import { type AuditStreamConsumer } from '../audit-stream';
import { type StoredHashes } from '../chain/chain-follower';
import { consumerLag, PipelineMetrics } from '../chain/pipeline-metrics';
import { registryEventsOf } from '../chain/registry-events';
import { ShardRunner } from '../chain/shard-runner';
import { TrustedKeys } from '../chain/trusted-keys';
import { type ShardHandler } from '../shard-handler';
import { AuditStreamServer } from './audit-stream.server';

/** Work of an app on the stream that it follows. */
export interface Follower {
  /** Name in kernel.stream_positions, and of its stage in the metrics. */
  readonly name: string;
  readonly handler: ShardHandler;
  /** Least time between two batches that are not full; default as the runner's. */
  readonly paceMs?: number;
  /** Hashes of applied events, for a handler that keeps them: they distinguish a repetition from a fork. */
  readonly storedHashes?: StoredHashes;
  /** Further checks, by name, beside database, stream and shards. */
  readonly checks?: Readonly<Record<string, ReadinessCheck>>;
  /** Awaited before the first batch; /health and /ready answer meanwhile. */
  readonly mayBegin?: () => Promise<void>;
  /**
   * Decides when a shard is followed, for an app of which one process at a time may: calls `follow` as often as it
   * likes, one call at a time. Resolves when `signal` is aborted and no call runs; never rejects.
   */
  readonly whenLeading?: (
    shard: number,
    signal: AbortSignal,
    follow: (signal: AbortSignal) => Promise<void>,
  ) => Promise<void>;
  /** Jobs beside the stream: started after it, stopped when no batch is left. */
  readonly beside?: readonly { start(): void; stop(): Promise<void> }[];
}

/** An opened stream, and where its follower shows its state. The follower does not close what it was given. */
export interface FollowedStream {
  readonly origin: string;
  readonly shards: number;
  /** Initialised, as the workers' role. */
  readonly dataSource: DataSource;
  readonly consumer: AuditStreamConsumer;
  /** The trust root; null: the keys of the founding are trusted. */
  readonly roots: readonly SignerEntry[] | null;
  readonly logger: Logger;
  readonly management: ManagementPlace;
  readonly registry?: Registry;
  /** How often a shard that stopped is tried again. */
  readonly recheckMs?: number;
}

export interface RunningFollower {
  readonly managementPort: number;
  /** Turns /ready red, finishes the current batches, then ends. */
  close(): Promise<void>;
}

@Module({})
class FollowerModule {}

/** Lets a handler apply the verified events of every shard, and serves metrics and health. */
export async function startFollower(stream: FollowedStream, follower: Follower): Promise<RunningFollower> {
  const { origin, shards, dataSource, consumer, roots, logger, registry = processRegistry } = stream;
  const { name, handler, storedHashes, paceMs, beside = [] } = follower;
  const runner = new ShardRunner({
    origin,
    consumer,
    keys: new TrustedKeys({ origin, roots, registryEvents: () => registryEventsOf(dataSource) }),
    logger,
    metrics: new PipelineMetrics({ stage: name, registry, lag: () => consumerLag(dataSource, name) }),
    ...(storedHashes === undefined ? {} : { storedHashes }),
    ...(paceMs === undefined ? {} : { paceMs }),
    ...(stream.recheckMs === undefined ? {} : { recheckMs: stream.recheckMs }),
  });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(FollowerModule, {
    strategy: new AuditStreamServer(shards, (shard, signal) => {
      const follow = (until: AbortSignal): Promise<void> => runner.follow(shard, handler, until);
      return follower.whenLeading?.(shard, signal, follow) ?? follow(signal);
    }),
    logger: new NestLogger(logger.child({}, { level: 'warn' })),
    abortOnError: false,
  });
  const management = await startManagementServer({
    ...stream.management,
    logger,
    registry,
    checks: {
      postgres: () => assertMigrated(dataSource, { origin, shards }),
      stream: () => consumer.check(),
      shards: () => runner.check(),
      ...follower.checks,
    },
  });
  const close = async (): Promise<void> => {
    management.drain();
    await app.close();
    await Promise.all(beside.map((one) => one.stop()));
    await management.close();
  };
  try {
    await follower.mayBegin?.();
    await app.listen();
    for (const one of beside) one.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { managementPort: management.port, close };
}
