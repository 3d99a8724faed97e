/** Audits chain, index and archive against each other, every night and on demand. */
import { ArchiveError, openArchive } from '#platform/archive';
import { readTrustRoot } from '#platform/audit-stream';
import { backupPlaceOf } from '#platform/backup';
import { EventStoreError, openAsWorker } from '#platform/event-store';
import { managementOf, processRegistry, runApp } from '#platform/process';
import { openDocumentProxy } from '#platform/signer';
import { auditSummary } from './audit-summary';
import { AuditRefused } from './audit/run-audit';
import { Auditor } from './auditor';
import { auditorConfig } from './auditor.config';
import { AuditorMetrics } from './auditor.metrics';
import { BackupWatch } from './backup-watch';
import { startAuditor } from './start-auditor';

/** One connection for the lock, one for pages, one for registry events, one for /ready. */
const CONNECTIONS = 4;
const EXIT = { clean: 0, findings: 1, failed: 2 } as const;

/** Runs one audit, its result on standard output; otherwise audits on schedule. */
const args = process.argv.slice(2);
const once = args.includes('--once');

runApp({
  name: 'auditor',
  config: auditorConfig,
  explained: [EventStoreError, ArchiveError, AuditRefused],
  ...(once ? { failureCode: EXIT.failed, logLevel: 'error' } : {}),
  async start(config, { logger, onStop }) {
    const { origin, shards } = config;
    const roots = readTrustRoot(config, origin);
    const metrics = new AuditorMetrics(processRegistry);
    const archive = await openArchive(config, { observer: metrics, parallel: config.archiveParallel });
    onStop(() => archive.close());
    if (config.isProduction) await archive.assertProtected();
    const proxy = openDocumentProxy(config, logger);
    onStop(() => proxy.close());
    const dataSource = await openAsWorker(config, {
      name: 'auditor',
      connections: CONNECTIONS,
      // Some statements read every row.
      statementTimeoutMs: 0,
    });
    onStop(() => dataSource.destroy());
    const auditor = new Auditor({
      origin,
      shards,
      dataSource,
      archive,
      proxy,
      roots,
      spotCheckEvents: config.spotCheckEvents,
      metrics,
      logger,
    });
    onStop(() => auditor.stop());
    if (once) {
      const result = await auditor.audit();
      const text = args.includes('--json') ? JSON.stringify(result) : auditSummary(result).join('\n');
      process.stdout.write(`${text}\n`);
      return EXIT[result.audit.verdict];
    }
    const place = backupPlaceOf(config);
    if (place !== null) {
      const backups = await BackupWatch.start({ place, registry: processRegistry, logger });
      onStop(() => backups.stop());
    }
    const service = await startAuditor({
      origin,
      shards,
      dataSource,
      auditor,
      auditTime: config.auditTime,
      spotCheckMinutes: config.spotCheckMinutes,
      registry: processRegistry,
      logger,
      management: managementOf(config),
    });
    onStop(() => service.close());
    logger.info({ managementPort: service.managementPort, origin, shards }, 'auditor is up');
    if (roots === null) logger.warn('trusts the first audit key of the chain: for development only');
    return undefined;
  },
});
