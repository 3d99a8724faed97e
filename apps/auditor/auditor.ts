import { setTimeout as delay } from 'node:timers/promises';
import { type DataSource } from '#platform/postgres';
import { type Archive } from '#platform/archive';
import { registryOfChain } from '#platform/audit-stream';
import { type SignerEntry, spannedSigners } from '#evidence';
import { type Logger } from '#platform/process';
import { DocumentSigner, SignerError, type SigningProxyClient } from '#platform/signer';
import { type Audit, AuditRefused, runAudit } from './audit/run-audit';
import { type Documents, recordOf, recordOfNone, recordRun, type RunRecord } from './audit/record-run';
import { spotCheck } from './audit/spot-check';
import { reportBytes, writeReport, type WrittenReport } from './audit/write-report';
import { type AuditorMetrics } from './auditor.metrics';
import { storedAudits } from './stored-audits';

export interface AuditorOptions {
  readonly origin: string;
  readonly shards: number;
  readonly dataSource: DataSource;
  readonly archive: Archive;
  readonly proxy: Pick<SigningProxyClient, 'keys' | 'sign'>;
  readonly roots: readonly SignerEntry[] | null;
  readonly spotCheckEvents: number;
  readonly metrics: AuditorMetrics;
  readonly logger: Logger;
  readonly now?: () => Date;
  /** Pauses between attempts to have the seal signed. */
  readonly sealPausesMs?: readonly number[];
}

export interface AuditResult {
  readonly audit: Audit;
  /** Null when the report could not be written, or not be sealed. */
  readonly written: WrittenReport | null;
}

/** What became of a report. */
interface Reported extends Documents {
  readonly written: WrittenReport | null;
}

/** One at a time over all auditors: `hashtextextended('illuvrse-kernel/audit', 0)`, computed by the server. */
const LOCK = `hashtextextended('illuvrse-kernel/audit', 0)`;
/** The signing proxy restarts in seconds; a longer outage is for a person, and the next audit. */
const SEAL_PAUSES_MS = [1_000, 5_000, 15_000, 60_000];

/** Runs audits and spot checks, reports them, and remembers the last verdict. */
export class Auditor {
  private readonly stopping = new AbortController();
  private last: string | null = null;
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly options: AuditorOptions) {}

  /** @throws Error with the last audit's verdict when that was not clean: a readiness check, so that a person looks */
  check(): void {
    if (this.last !== null) throw new Error(this.last);
  }

  /** Shows the last audits that the archive has in the metrics; without an answer of it they show nothing yet. */
  recall(): Promise<void> {
    const { archive, origin, metrics, logger, now = () => new Date() } = this.options;
    return this.tracked(
      storedAudits(archive, origin, now().getTime()).then(
        ({ last, clean }) => metrics.onStored(last, clean),
        (error: unknown) => {
          logger.warn({ reason: messageOf(error) }, 'could not read in the archive when the last audit was');
        },
      ),
    );
  }

  /**
   * Runs a whole audit with its report.
   * @throws AuditRefused when another one is under way, or the store is being restored
   */
  audit(): Promise<AuditResult> {
    return this.tracked(this.alone(() => this.auditAndRecord()));
  }

  /** Runs an audit on schedule: reports what went wrong, and does not throw. */
  async auditOnTime(): Promise<void> {
    try {
      await this.audit();
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      if (error instanceof AuditRefused) {
        this.options.logger.warn({ reason: error.message }, 'did not audit');
        return;
      }
      this.options.metrics.onAuditFailed();
      this.last = `The last audit could not be carried out: ${messageOf(error)}`;
      this.options.logger.error({ err: error }, 'could not audit');
    }
  }

  async spotCheck(): Promise<void> {
    const { metrics, logger, spotCheckEvents, ...options } = this.options;
    const job = (async () => {
      const { events, findings } = await spotCheck({ ...options, events: spotCheckEvents });
      metrics.onSpotCheck(findings);
      if (findings.count === 0) return;
      this.last = `A spot check found ${findings.listed[0]?.message ?? ''}; run a whole audit.`;
      logger.error({ events, findings: findings.listed.slice(0, 20) }, 'a spot check found something');
    })();
    try {
      await this.tracked(job);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      metrics.onSpotCheck(null);
      logger.warn({ err: error }, 'could not make a spot check');
    }
  }

  /** Aborts what is under way, and waits until it has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.allSettled(this.running);
  }

  private tracked<T>(job: Promise<T>): Promise<T> {
    this.running.add(job);
    const done = () => this.running.delete(job);
    job.then(done, done);
    return job;
  }

  /** An audit that is refused because another one is under way is not recorded: that one is. */
  private async auditAndRecord(): Promise<AuditResult> {
    const startedAt = (this.options.now?.() ?? new Date()).toISOString();
    try {
      return await this.auditNow();
    } catch (error) {
      if (!this.stopping.signal.aborted) {
        const outcome = error instanceof AuditRefused ? 'refused' : 'failed';
        await this.record(recordOfNone(outcome, startedAt, messageOf(error)));
      }
      throw error;
    }
  }

  private async auditNow(): Promise<AuditResult> {
    const { metrics, logger } = this.options;
    const audit = await runAudit({ ...this.options, signal: this.stopping.signal });
    metrics.onAudit(audit);
    const { id, verdict, events, findings } = audit;
    const byKind = Object.fromEntries(findings.byKind);
    if (verdict === 'clean') {
      this.last = null;
      logger.info({ id, events }, 'audited: nothing to complain about');
    } else {
      this.last = `The last audit (${id}) has ${findings.count} findings: ${JSON.stringify(byKind)}; read its report in the archive.`;
      logger.error(
        { id, events, byKind, findings: findings.listed.slice(0, 20) },
        'audited: there are findings',
      );
    }
    const { written, ...documents } = await this.report(audit);
    await this.record(recordOf(audit, documents));
    return { audit, written };
  }

  /** The archive has what counts: a copy that cannot be written costs the audit nothing. */
  private async record(run: RunRecord): Promise<void> {
    const { dataSource, metrics, logger } = this.options;
    try {
      await recordRun(dataSource, run);
    } catch (error) {
      metrics.onRecordFailed();
      logger.warn({ id: run.id, err: error }, 'could not record an audit in the database');
    }
  }

  private async report(audit: Audit): Promise<Reported> {
    const { origin, archive, proxy, dataSource, roots, metrics, logger, now } = this.options;
    const registered = async () => spannedSigners(await registryOfChain({ origin, roots }, dataSource));
    const signer = new DocumentSigner(proxy, registered);
    const pauses = [...(this.options.sealPausesMs ?? SEAL_PAUSES_MS)];
    let report: Uint8Array | null = null;
    for (;;) {
      try {
        report = reportBytes(audit);
        return { report, ...(await writeReport(audit, report, archive, signer, now)), problem: null };
      } catch (error) {
        const pause = pauses.shift();
        metrics.onReportFailed(error);
        logger.warn(
          { id: audit.id, err: error, retryMs: pause ?? null },
          'could not write the report of an audit',
        );
        if (pause === undefined || this.stopping.signal.aborted || !isPassing(error)) {
          return { written: null, report, seal: null, problem: `Not sealed: ${messageOf(error)}` };
        }
        await delay(pause, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }

  private async alone<T>(job: () => Promise<T>): Promise<T> {
    const runner = this.options.dataSource.createQueryRunner();
    try {
      await runner.connect();
      const [lock] = (await runner.query(`SELECT pg_try_advisory_lock(${LOCK}) AS mine`)) as {
        mine: boolean;
      }[];
      if (lock?.mine !== true) throw new AuditRefused('Another audit is under way.');
      try {
        return await job();
      } finally {
        await runner.query(`SELECT pg_advisory_unlock(${LOCK})`);
      }
    } finally {
      await runner.release();
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof SignerError) return true;
  return (error as { code?: unknown }).code === 'unavailable';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
