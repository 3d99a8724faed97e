import { AuditStreamError, openStreamPublisher } from '#libs/audit-stream';
import { ConfigError, loadConfig } from '#libs/config';
import {
  assertMigrated,
  assertWorkerRole,
  EventStoreError,
  openEventStoreDataSource,
} from '#libs/event-store';
import { createLogger } from '#libs/observability';
import { outboxRelayConfig, type OutboxRelayConfig } from './outbox-relay.config';
import { startOutboxRelay } from './start-outbox-relay';

/** A page under way per shard would be more than one disk serves; the rest waits its turn. */
const MAX_CONNECTIONS = 10;

async function main(config: OutboxRelayConfig): Promise<void> {
  const logger = createLogger({ app: 'outbox-relay', level: config.logLevel });
  const { origin, shards } = config;
  const dataSource = await openEventStoreDataSource({
    url: config.databaseUrl,
    poolSize: Math.min(shards + 2, MAX_CONNECTIONS),
    applicationName: 'outbox-relay',
  });
  await assertMigrated(dataSource, { origin, shards });
  await assertWorkerRole(dataSource);
  const publisher = openStreamPublisher(config, { shards });
  const relay = await startOutboxRelay({
    origin,
    shards,
    databaseUrl: config.databaseUrl,
    dataSource,
    publisher,
    leaseMs: config.relayLeaseMs,
    logger,
    management: { host: config.managementHost, port: config.managementPort },
  });
  logger.info({ managementPort: relay.managementPort, origin, shards }, 'outbox relay is up');
  relay.failed.catch((error: unknown) => {
    logger.fatal({ err: error }, 'the outbox relay cannot go on');
    fail(error);
  });

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'outbox relay stops');
    relay
      .close()
      .then(() => publisher.close())
      .then(() => dataSource.destroy())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.fatal({ err: error }, 'the outbox relay could not stop in order');
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
  process.stderr.write(`outbox-relay: ${explain(error)}\n`);
  process.exit(1);
}

try {
  main(loadConfig(outboxRelayConfig)).catch(fail);
} catch (error) {
  fail(error);
}
