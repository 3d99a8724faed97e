/** Publishes the transparency log: tiles and cosigned checkpoints of each shard, as its elected leader. */
import { KeyTrust, registeredSigners } from '#evidence';
import { ArchiveError, openArchive } from '#platform/archive';
import { registryEventsOf, runFollower } from '#platform/audit-stream';
import { NO_WITNESSES } from '#platform/log';
import { processRegistry } from '#platform/process';
import { openDocumentProxy } from '#platform/signer';
import { logPublisherConfig } from './log-publisher.config';
import { LogPublisherMetrics } from './log-publisher.metrics';
import { ProxyCheckpointSigner } from './publishing/proxy-checkpoint-signer';
import { LOG_PUBLISHER, startLogPublisher } from './start-log-publisher';

runFollower({
  name: LOG_PUBLISHER,
  config: logPublisherConfig,
  explained: [ArchiveError],
  async start(config, stream, { logger, onStop }) {
    const { origin, roots, dataSource } = stream;
    const archive = await openArchive(config);
    onStop(() => archive.close());
    const proxy = openDocumentProxy(config, logger);
    onStop(() => proxy.close());
    const signer = new ProxyCheckpointSigner(origin, proxy, async () => {
      const trust = new KeyTrust(origin, roots);
      trust.learn(await registryEventsOf(dataSource));
      return registeredSigners(trust.registry);
    });
    const publisher = await startLogPublisher({
      ...stream,
      databaseUrl: config.databaseUrl,
      leaseMs: config.logLeaseMs,
      archive,
      signer,
      policy: NO_WITNESSES,
      cosignTimeoutMs: config.logCosignTimeoutMs,
      everyMs: config.logIntervalMs,
      republishMs: config.logRepublishSeconds * 1_000,
      listen: { host: config.logListenHost, port: config.logListenPort },
      metrics: new LogPublisherMetrics(processRegistry),
    });
    logger.info({ logPort: publisher.logPort }, 'serves the public part of the log');
    return publisher;
  },
});
