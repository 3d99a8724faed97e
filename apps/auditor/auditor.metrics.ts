import { ArchiveError, type ArchiveObserver, type FinishedOperation } from '#platform/archive';
import { Counter, Gauge, Histogram, type Registry } from '#platform/process';
import { SignerError } from '#platform/signer';
import { type Findings } from './audit/finding';
import { type Audit } from './audit/run-audit';
import { type StoredAudit } from './stored-audits';

const OPERATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics of the auditor. */
export class AuditorMetrics implements ArchiveObserver {
  private readonly operations: Histogram<'operation' | 'outcome'>;
  private readonly runs: Counter<'result'>;
  private readonly lastRun: Gauge;
  private readonly lastClean: Gauge;
  private readonly duration: Gauge;
  private readonly events: Gauge;
  private readonly findings: Gauge<'kind'>;
  private readonly reportFailures: Counter<'kind'>;
  private readonly recordFailures: Counter;
  private readonly spotChecks: Counter<'result'>;
  private readonly spotFindings: Counter<'kind'>;

  private audited = false;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    this.operations = new Histogram({
      name: 'archive_operation_duration_seconds',
      help: 'Operations of the archive, without the time that they waited for their turn.',
      labelNames: ['operation', 'outcome'],
      buckets: OPERATION_BUCKETS_S,
      registers,
    });
    this.runs = new Counter({
      name: 'auditor_runs_total',
      help: 'Whole audits, by what came of them; one that failed could not be carried out.',
      labelNames: ['result'],
      registers,
    });
    this.lastRun = gauge('auditor_last_run_timestamp_seconds', 'End of the last audit that was carried out.');
    this.lastClean = gauge(
      'auditor_last_clean_run_timestamp_seconds',
      'End of the last audit without a finding.',
    );
    this.duration = gauge('auditor_last_run_duration_seconds', 'How long it took.');
    this.events = gauge('auditor_last_run_events', 'Events that it verified.');
    this.findings = new Gauge({
      name: 'auditor_last_run_findings',
      help: 'What it found, by kind.',
      labelNames: ['kind'],
      registers,
    });
    this.reportFailures = new Counter({
      name: 'auditor_report_failures_total',
      help: 'Reports or seals that could not be written, by the reason.',
      labelNames: ['kind'],
      registers,
    });
    this.recordFailures = new Counter({
      name: 'auditor_record_failures_total',
      help: 'Audits that could not be recorded in the database, where the API reads them.',
      registers,
    });
    this.spotChecks = new Counter({
      name: 'auditor_spot_checks_total',
      help: 'Random spot checks, by what came of them.',
      labelNames: ['result'],
      registers,
    });
    this.spotFindings = new Counter({
      name: 'auditor_spot_check_findings_total',
      help: 'What they found, by kind.',
      labelNames: ['kind'],
      registers,
    });
    for (const result of ['clean', 'findings', 'failed']) {
      this.runs.inc({ result }, 0);
      this.spotChecks.inc({ result }, 0);
    }
  }

  onOperation({ operation, outcome, ms }: FinishedOperation): void {
    this.operations.observe({ operation, outcome }, ms / 1_000);
  }

  onAudit({ verdict, events, findings, startedAt, finishedAt }: Audit): void {
    const end = Date.parse(finishedAt) / 1_000;
    this.audited = true;
    this.runs.inc({ result: verdict });
    this.lastRun.set(end);
    if (verdict === 'clean') this.lastClean.set(end);
    this.duration.set(end - Date.parse(startedAt) / 1_000);
    this.events.set(events);
    this.findings.reset();
    for (const [kind, count] of findings.byKind) this.findings.set({ kind }, count);
  }

  /** Shows what earlier processes found, until this one has audited. */
  onStored(last: StoredAudit | null, clean: StoredAudit | null): void {
    if (this.audited) return;
    if (clean !== null) this.lastClean.set(Date.parse(clean.finishedAt) / 1_000);
    if (last === null) return;
    const end = Date.parse(last.finishedAt) / 1_000;
    this.lastRun.set(end);
    this.duration.set(end - Date.parse(last.startedAt) / 1_000);
    this.events.set(last.events);
    for (const [kind, count] of Object.entries(last.findings.byKind)) this.findings.set({ kind }, count);
  }

  onAuditFailed(): void {
    this.runs.inc({ result: 'failed' });
  }

  onReportFailed(error: unknown): void {
    const known = error instanceof ArchiveError || error instanceof SignerError;
    this.reportFailures.inc({ kind: known ? error.code : 'other' });
  }

  onRecordFailed(): void {
    this.recordFailures.inc();
  }

  onSpotCheck(findings: Findings | null): void {
    this.spotChecks.inc({
      result: findings === null ? 'failed' : findings.count === 0 ? 'clean' : 'findings',
    });
    for (const [kind, count] of findings?.byKind ?? []) this.spotFindings.inc({ kind }, count);
  }
}
