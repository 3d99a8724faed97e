import { type RowFault } from '#platform/event-store';
import { Counter, type Logger, type Registry } from '#platform/process';

/** Interval at which the same fault is logged again: some are found every second. */
const REPEAT_MS = 60_000;
/** Kinds of faults are few, and an attacker chooses the messages. */
const MAX_LOGGED = 256;

/** Tells operators of rows that are not this kernel's: an error in the log, a metric, a detail of /ready. */
export class IntegrityAlarm {
  private readonly faults: Counter<'where'>;
  /** Message -> when it was logged, milliseconds since 1970. */
  private readonly logged = new Map<string, number>();
  private found = 0;
  private latest: (RowFault & { at: string }) | undefined;

  constructor(
    registry: Registry,
    private readonly logger: Pick<Logger, 'error'>,
  ) {
    this.faults = new Counter({
      name: 'kernel_integrity_faults_total',
      help: 'Rows of the database that are not what this kernel wrote, each time that one is met.',
      labelNames: ['where'],
      registers: [registry],
    });
    for (const where of [
      'event',
      'index',
      'head',
      'answer',
      'mode',
      'hold',
      'notification',
      'webhook',
      'audit_run',
    ] as const) {
      this.faults.inc({ where }, 0);
    }
  }

  raise(fault: RowFault): void {
    this.faults.inc({ where: fault.where });
    this.found++;
    const now = Date.now();
    this.latest = { ...fault, at: new Date(now).toISOString() };
    if (now - (this.logged.get(fault.message) ?? 0) < REPEAT_MS) return;
    if (this.logged.size >= MAX_LOGGED) this.logged.clear();
    this.logged.set(fault.message, now);
    this.logger.error({ integrity: fault.where }, fault.message);
  }

  /** Number of faults since the start, and the last one. */
  get state(): { found: number; latest: (RowFault & { at: string }) | null } {
    return { found: this.found, latest: this.latest ?? null };
  }
}
