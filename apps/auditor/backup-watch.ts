import { BackupCatalogue, type BackupPlace } from '#platform/backup';
import { Counter, Gauge, type Logger, type Registry } from '#platform/process';

export interface BackupWatchOptions {
  readonly place: BackupPlace;
  readonly registry: Registry;
  readonly logger: Logger;
  /** Time between two looks. */
  readonly everyMs?: number;
}

/** A base backup is made daily and a log file every minute at most; listing a bucket costs. */
const EVERY_MS = 60_000;

/**
 * Reads from the bucket how old the newest base backup and the newest log file are. What makes backups cannot say it: it is not
 * there when it does not run.
 */
export class BackupWatch {
  private readonly lastBase: Gauge;
  private readonly lastWal: Gauge;
  private readonly failures: Counter;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  private constructor(
    private readonly catalogue: BackupCatalogue,
    private readonly options: BackupWatchOptions,
  ) {
    const registers = [options.registry];
    this.lastBase = new Gauge({
      name: 'kernel_backup_last_base_timestamp_seconds',
      help: 'End of the newest base backup of the database that is whole; 0: there is none.',
      registers,
    });
    this.lastWal = new Gauge({
      name: 'kernel_backup_last_wal_timestamp_seconds',
      help: 'When the newest file of the write-ahead log was archived; 0: there is none.',
      registers,
    });
    this.failures = new Counter({
      name: 'kernel_backup_look_failures_total',
      help: 'Attempts to read the bucket of the backups that failed.',
      registers,
    });
  }

  static async start(options: BackupWatchOptions): Promise<BackupWatch> {
    const watch = new BackupWatch(await BackupCatalogue.open(options.place), options);
    watch.look();
    watch.timer = setInterval(() => watch.look(), options.everyMs ?? EVERY_MS);
    return watch;
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
    this.catalogue.close();
  }

  private look(): void {
    this.looking ??= this.read().finally(() => (this.looking = undefined));
  }

  /** After a failure both gauges stay as they are, and get old. */
  private async read(): Promise<void> {
    try {
      const base = (await this.catalogue.bases()).find(({ status }) => status === 'DONE');
      const wal = await this.catalogue.newestWal();
      this.lastBase.set((base?.endTime?.getTime() ?? 0) / 1_000);
      this.lastWal.set((wal?.storedAt.getTime() ?? 0) / 1_000);
    } catch (error) {
      this.failures.inc();
      this.options.logger.warn({ err: error }, 'could not read the bucket of the backups');
    }
  }
}
