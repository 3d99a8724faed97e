import { Cron } from 'croner';
import { assertMigrated } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type Logger, type ManagementPlace, type Registry, startManagementServer } from '#platform/process';
import { type Auditor } from './auditor';

export interface AuditorServiceOptions {
  origin: string;
  shards: number;
  dataSource: DataSource;
  auditor: Auditor;
  /** `HH:MM`, UTC. */
  auditTime: string;
  /** 0: none. */
  spotCheckMinutes: number;
  registry: Registry;
  logger: Logger;
  management: ManagementPlace;
}

export interface RunningAuditor {
  managementPort: number;
  close(): Promise<void>;
}

const MINUTE_MS = 60_000;

/** Audits on schedule: a whole audit every day, spot checks in between. */
export async function startAuditor(options: AuditorServiceOptions): Promise<RunningAuditor> {
  const { origin, shards, dataSource, auditor, auditTime, spotCheckMinutes, logger } = options;
  const management = await startManagementServer({
    ...options.management,
    logger,
    registry: options.registry,
    checks: {
      postgres: async () => assertMigrated(dataSource, { origin, shards }),
      last_audit: async () => auditor.check(),
    },
  });
  void auditor.recall();
  const [hour, minute] = auditTime.split(':');
  // `protect`: an audit that takes longer than a day is not joined by the next.
  const nightly = new Cron(
    `${Number(minute)} ${Number(hour)} * * *`,
    { timezone: 'UTC', protect: true },
    () => auditor.auditOnTime(),
  );
  let checking: Promise<void> | undefined;
  const spotChecks =
    spotCheckMinutes === 0
      ? undefined
      : setInterval(() => {
          checking ??= auditor.spotCheck().finally(() => (checking = undefined));
        }, spotCheckMinutes * MINUTE_MS);
  logger.info({ next: nightly.nextRun()?.toISOString(), spotCheckMinutes }, 'audits by the clock');
  return {
    managementPort: management.port,
    async close() {
      management.drain();
      nightly.stop();
      clearInterval(spotChecks);
      await auditor.stop();
      await management.close();
    },
  };
}
