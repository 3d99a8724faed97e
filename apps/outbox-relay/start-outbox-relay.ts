import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { assertMigrated, DEFAULT_LIMITS, EventLog, type EventVerifier } from '#platform/event-store';
import { Database, type DataSource, standForElection, watchServer } from '#platform/postgres';
import { AuditStreamError, type AuditStreamPublisher } from '#platform/audit-stream';
import {
  type Logger,
  type ManagementPlace,
  processRegistry,
  type Registry,
  type Secret,
  startManagementServer,
} from '#platform/process';
import { RelayFault } from './relay/relay-fault';
import { RelayMetrics } from './relay/relay-metrics';
import { type RelayObserver, relayShard } from './relay/shard-relay';

/** Pause between attempts to find the stream at the start. */
const PREPARE_RETRY_MS = 1_000;

export interface OutboxRelayOptions {
  origin: string;
  shards: number;
  /** URL of PostgreSQL itself, as the workers' role: for the sessions of the elections. */
  databaseUrl: Secret;
  /** Initialised; the caller owns it. */
  dataSource: DataSource;
  /** The caller owns it. */
  publisher: AuditStreamPublisher;
  leaseMs: number;
  verifier: Pick<EventVerifier, 'verify'>;
  logger: Logger;
  management: ManagementPlace;
  registry?: Registry;
}

export interface RunningOutboxRelay {
  managementPort: number;
  /** Rejects when the relay cannot continue in any shard: a stream that does not fit. Never resolves. */
  failed: Promise<never>;
  /** Finishes the batches in flight, resigns everywhere, then ends. */
  close(): Promise<void>;
}

/** Stands for election in every shard, and publishes those of which it is the leader. */
export async function startOutboxRelay(options: OutboxRelayOptions): Promise<RunningOutboxRelay> {
  const { origin, shards, dataSource, publisher, verifier, logger, registry = processRegistry } = options;
  const database = new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs);
  const log = new EventLog({ dataSource, shards });
  const metrics = new RelayMetrics(registry, database, shards);
  const unwatch = watchServer({ dataSource, registry, logger });
  const stopping = new AbortController();
  const leading = new Map<number, number>();
  const faults = new Map<number, RelayFault>();

  const observer: RelayObserver = {
    onPublished: (shard, events) => metrics.onPublished(shard, events),
    onRetry(shard, step, error) {
      metrics.onRetry(shard, step);
      logger.warn({ shard, step, reason: error.message }, 'the relay has to try again');
    },
  };

  async function serve(shard: number): Promise<void> {
    try {
      await standForElection(
        {
          url: options.databaseUrl,
          name: `outbox-relay/${shard}`,
          holder: `${hostname()}/${process.pid}`,
          leaseMs: options.leaseMs,
          observer: {
            onElected(term) {
              leading.set(shard, term.epoch);
              metrics.onElected(shard, term);
              logger.info({ shard, epoch: term.epoch }, 'leads the shard');
            },
            onEnded({ epoch }, reason) {
              leading.delete(shard);
              metrics.onEnded(shard);
              logger.info({ shard, epoch, reason }, 'leads the shard no longer');
            },
            onTakeOver: () => logger.warn({ shard }, 'ended the session of a leader whose lease had run out'),
            onUnavailable: ({ message }) =>
              logger.warn({ shard, reason: message }, 'cannot stand for election'),
          },
        },
        (term) => relayShard(shard, term, { origin, log, database, publisher, verifier, observer }),
        stopping.signal,
      );
    } catch (error) {
      if (!(error instanceof RelayFault)) throw error;
      faults.set(shard, error);
      metrics.onFault(error);
      logger.fatal({ shard, kind: error.kind, seq: error.seq, reason: error.message }, 'shard stopped');
    }
  }

  const management = await startManagementServer({
    ...options.management,
    logger,
    registry,
    checks: {
      postgres: async () => assertMigrated(dataSource, { origin, shards }),
      stream: async () => publisher.check(),
      shards: async () => {
        const stopped = [...faults.values()].map(({ message }) => message);
        if (stopped.length > 0) throw new Error(stopped.join(' '));
        return await Promise.resolve(
          Object.fromEntries(
            Array.from({ length: shards }, (_, shard) => [
              `shard ${shard}`,
              leading.has(shard) ? `leads in epoch ${leading.get(shard)}` : 'stands by',
            ]),
          ),
        );
      },
    },
  });

  const running = (async () => {
    if (!(await prepared(publisher, logger, stopping.signal))) return;
    await Promise.all(Array.from({ length: shards }, (_, shard) => serve(shard)));
  })();
  const failed = new Promise<never>((_, reject) => running.catch(reject));
  failed.catch(() => undefined);

  return {
    managementPort: management.port,
    failed,
    async close() {
      management.drain();
      stopping.abort();
      await running.catch(() => undefined);
      await unwatch();
      await log.close();
      await management.close();
    },
  };
}

/** Waits for an unavailable stream; one that does not fit is for a person. False when told to stop meanwhile. */
async function prepared(
  publisher: AuditStreamPublisher,
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    try {
      await publisher.prepare();
      return true;
    } catch (error) {
      if (!(error instanceof AuditStreamError) || error.code !== 'stream_unavailable') throw error;
      logger.warn({ reason: error.message }, 'the stream is not there yet');
      await delay(PREPARE_RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return false;
}
