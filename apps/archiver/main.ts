/** Archives committed events as locked objects, applies legal holds, and signs a manifest for each day. */
import { ArchiveError, openArchive } from '#platform/archive';
import { runFollower } from '#platform/audit-stream';
import { processRegistry } from '#platform/process';
import { openDocumentProxy } from '#platform/signer';
import { archiverConfig } from './archiver.config';
import { ArchiverMetrics } from './archiver.metrics';
import { ARCHIVER, startArchiver } from './start-archiver';

const MINUTE_MS = 60_000;

runFollower({
  name: ARCHIVER,
  config: archiverConfig,
  explained: [ArchiveError],
  async start(config, stream, { logger, stopping, onStop }) {
    const metrics = new ArchiverMetrics(processRegistry);
    const archive = await openArchive(config, { observer: metrics, parallel: config.archiveParallel });
    onStop(() => archive.close());
    const proxy = openDocumentProxy(config, logger);
    onStop(() => proxy.close());
    if (config.archive === 'fs')
      logger.warn('archives into a folder, which its owner can change: for development only');
    const dayGraceMs = config.archiveDayGraceMinutes * MINUTE_MS;
    const protectedOnly = config.isProduction;
    return startArchiver({ ...stream, archive, protectedOnly, proxy, dayGraceMs, metrics }, stopping);
  },
});
