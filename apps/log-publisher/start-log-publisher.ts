import { hostname } from 'node:os';
import { genesisHash } from '#evidence';
import { type Archive, ArchiveProtection, ArchiveWatch } from '#platform/archive';
import {
  type FollowedStream,
  type RunningFollower,
  startFollower,
  StreamPositions,
} from '#platform/audit-stream';
import {
  CheckpointPublisher,
  type CheckpointSigner,
  LogStorage,
  TileCache,
  type WitnessPolicy,
} from '#platform/log';
import { standForElection } from '#platform/postgres';
import { type Secret } from '#platform/process';
import { startLogServer } from './http/log-server';
import { type LogPublisherMetrics } from './log-publisher.metrics';
import { ShardPublishing } from './publishing/shard-publishing';
import { toldWitnesses } from './publishing/told-witnesses';

export interface LogPublisherOptions extends FollowedStream {
  /** URL of PostgreSQL itself, as the workers' role: for the sessions of the elections. */
  readonly databaseUrl: Secret;
  readonly leaseMs: number;
  readonly archive: Archive;
  /** The same for the public, so that those who read do not take the turns of what is published. */
  readonly readers: Archive;
  /** Nothing is published before the archive has proved that it cannot be changed. */
  readonly protectedOnly: boolean;
  readonly signer: CheckpointSigner;
  readonly policy: WitnessPolicy;
  readonly cosignTimeoutMs: number;
  readonly everyMs: number;
  readonly republishMs: number;
  /** How often an idle log is looked at; for tests. */
  readonly lookMs?: number;
  /** Where the public part of the log is served. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly metrics: LogPublisherMetrics;
}

export interface RunningLogPublisher extends RunningFollower {
  readonly logPort: number;
}

/** Name of this consumer in kernel.stream_positions. */
export const LOG_PUBLISHER = 'log-publisher';
/** Consistency proofs read the right edge and what changed since: a few tiles a shard. */
const CACHE_BYTES = 8 * 1024 * 1024;
const LOOK_MS = 10_000;
const RECHECK_MS = 60_000;

/**
 * Stands for election in every shard, and publishes the logs of those of which it is the leader.
 * @param signal ends the wait for the archive
 * @throws ArchiveError `not_protected` when a protected archive is required and this is none
 */
export async function startLogPublisher(
  options: LogPublisherOptions,
  signal?: AbortSignal,
): Promise<RunningLogPublisher> {
  const { origin, shards, dataSource, archive, metrics, logger, listen } = options;
  const cache = new TileCache(CACHE_BYTES);
  const positions = new StreamPositions(dataSource, LOG_PUBLISHER, origin);
  const protection = new ArchiveProtection(archive, options.protectedOnly, logger);
  const watch = new ArchiveWatch(archive, logger);
  const publishers: CheckpointPublisher[] = [];
  const publishing = Array.from({ length: shards }, (_, shard) => {
    const storage = new LogStorage(archive, shard);
    const { signer, policy, cosignTimeoutMs, everyMs, republishMs } = options;
    const { lookMs = LOOK_MS, recheckMs = RECHECK_MS } = options;
    const observer = toldWitnesses(shard, logger, metrics.observer(shard));
    const publisher = new CheckpointPublisher({ storage, signer, policy, cosignTimeoutMs, cache, observer });
    publishers.push(publisher);
    return new ShardPublishing({
      shard,
      genesisHash: genesisHash(origin, shard),
      storage,
      publisher,
      positions,
      metrics,
      logger,
      everyMs,
      republishMs,
      lookMs,
      recheckMs,
    });
  });
  const of = (shard: number): ShardPublishing => publishing[shard] as ShardPublishing;
  const server = await startLogServer({ archive: options.readers, shards, ...listen, logger });
  try {
    watch.start();
    const follower = await startFollower(options, {
      name: LOG_PUBLISHER,
      // A tenth of the interval: reading and checking together costs a third.
      paceMs: options.everyMs / 10,
      handler: {
        position: (shard) => of(shard).position(),
        apply: (shard, events) => of(shard).apply(events),
      },
      checks: {
        archive: async () => {
          watch.check();
          protection.check();
        },
        log: async () => Promise.resolve(publishing.forEach((one) => one.check())),
      },
      mayBegin: () => protection.proved(signal),
      whenLeading: (shard, signal, follow) =>
        standForElection(
          {
            url: options.databaseUrl,
            name: `${LOG_PUBLISHER}/${shard}`,
            holder: `${hostname()}/${process.pid}`,
            leaseMs: options.leaseMs,
            observer: {
              onElected({ epoch }) {
                metrics.onElected(shard);
                logger.info({ shard, epoch }, 'publishes the log of the shard');
              },
              onEnded({ epoch }, reason) {
                metrics.onEnded(shard);
                logger.info({ shard, epoch, reason }, 'publishes the log of the shard no longer');
              },
              onTakeOver: () =>
                logger.warn({ shard }, 'ended the session of a leader whose lease had run out'),
              onUnavailable: ({ message }) =>
                logger.warn({ shard, reason: message }, 'cannot stand for election'),
            },
          },
          (term) => of(shard).lead(term.signal, () => term.holds(), follow),
          signal,
        ),
    });
    return {
      managementPort: follower.managementPort,
      logPort: server.port,
      async close() {
        await watch.stop();
        await follower.close();
        for (const publisher of publishers) publisher.stop();
        await server.close();
      },
    };
  } catch (error) {
    await watch.stop();
    await server.close();
    throw error;
  }
}
