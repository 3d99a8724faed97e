/** Publishes the transparency log: tiles and cosigned checkpoints of each shard, as its elected leader. */
import { readFileSync } from 'node:fs';
import { EvidenceError, parseLogPolicy, registeredSigners } from '#evidence';
import { ArchiveError, openArchive } from '#platform/archive';
import { registryOfChain, runFollower } from '#platform/audit-stream';
import { NO_WITNESSES, WitnessError, type WitnessPolicy, witnessPolicy } from '#platform/log';
import { type Config, ConfigError, processRegistry } from '#platform/process';
import { openDocumentProxy } from '#platform/signer';
import { logPublisherConfig } from './log-publisher.config';
import { LogPublisherMetrics } from './log-publisher.metrics';
import { ProxyCheckpointSigner } from './publishing/proxy-checkpoint-signer';
import { LOG_PUBLISHER, startLogPublisher } from './start-log-publisher';

/** Reads of the public at a time; more wait. */
const PUBLIC_PARALLEL = 16;

runFollower({
  name: LOG_PUBLISHER,
  config: logPublisherConfig,
  explained: [ArchiveError, WitnessError],
  async start(config, stream, { logger, stopping, onStop }) {
    const { origin, roots, dataSource } = stream;
    const archive = await openArchive(config);
    onStop(() => archive.close());
    const readers = await openArchive(config, { parallel: PUBLIC_PARALLEL });
    onStop(() => readers.close());
    const proxy = openDocumentProxy(config, logger);
    onStop(() => proxy.close());
    const signer = new ProxyCheckpointSigner(origin, proxy, async () =>
      registeredSigners(await registryOfChain({ origin, roots }, dataSource)),
    );
    const policy = policyOf(config);
    onStop(async () => {
      for (const witness of policy.witnesses) await witness.close?.();
    });
    const publisher = await startLogPublisher(
      {
        ...stream,
        databaseUrl: config.databaseUrl,
        leaseMs: config.logLeaseMs,
        archive,
        readers,
        protectedOnly: config.isProduction,
        signer,
        policy,
        cosignTimeoutMs: config.logCosignTimeoutMs,
        everyMs: config.logIntervalMs,
        republishMs: config.logRepublishSeconds * 1_000,
        listen: { host: config.logListenHost, port: config.logListenPort },
        metrics: new LogPublisherMetrics(processRegistry),
      },
      stopping,
    );
    logger.info({ logPort: publisher.logPort }, 'serves the public part of the log');
    return publisher;
  },
});

/** @throws ConfigError, WitnessError when the policy cannot be used */
function policyOf(config: Config<(typeof logPublisherConfig)['members']>): WitnessPolicy {
  const { logPolicyFile: file, logWitnessCaFile: ca, logCosignTimeoutMs: cosignTimeoutMs } = config;
  if (file === undefined) return NO_WITNESSES;
  try {
    return witnessPolicy(parseLogPolicy(readFileSync(file)), {
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      cosignTimeoutMs,
    });
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const problem = `is no policy that can be used: ${error.message}`;
    throw new ConfigError('invalid_configuration', [{ member: 'KERNEL_LOG_POLICY_FILE', problem }]);
  }
}
