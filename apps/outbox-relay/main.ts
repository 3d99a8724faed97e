/** Publishes committed events to the audit stream, in order, as the elected leader of each shard. */
import {
  AuditStreamError,
  ChainEventVerifier,
  openStreamPublisher,
  readTrustRoot,
} from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import { EventStoreError, openAsWorker } from '#platform/event-store';
import { managementOf, runApp } from '#platform/process';
import { outboxRelayConfig } from './outbox-relay.config';
import { startOutboxRelay } from './start-outbox-relay';

/** A page under way per shard would be more than one disk serves; the rest waits its turn. */
const MAX_CONNECTIONS = 10;

runApp({
  name: 'outbox-relay',
  config: outboxRelayConfig,
  explained: [EventStoreError, AuditStreamError],
  async start(config, { logger, onStop, fail }) {
    const { origin, shards, databaseUrl } = config;
    const dataSource = await openAsWorker(config, {
      name: 'outbox-relay',
      connections: Math.min(shards + 2, MAX_CONNECTIONS),
    });
    onStop(() => dataSource.destroy());
    const publisher = openStreamPublisher(config, { shards, logger });
    onStop(() => publisher.close());
    const relay = await startOutboxRelay({
      origin,
      shards,
      databaseUrl,
      dataSource,
      publisher,
      verifier: new ChainEventVerifier({
        dataSource,
        origin,
        roots: readTrustRoot(config, origin),
        divisionOf,
      }),
      leaseMs: config.relayLeaseMs,
      logger,
      management: managementOf(config),
    });
    onStop(() => relay.close());
    logger.info({ managementPort: relay.managementPort, origin, shards }, 'outbox relay is up');
    relay.failed.catch(fail);
  },
});
