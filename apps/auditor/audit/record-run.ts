import { randomUUID } from 'node:crypto';
import { type DataSource, storable } from '#platform/postgres';
import { type Audit } from './run-audit';

/** A row of kernel.audit_runs: what the kernel's API has to say of an audit, since the kernel cannot read the archive. */
export interface RunRecord {
  /** UUID of the audit. */
  readonly id: string;
  /** RFC 3339 UTC with milliseconds. */
  readonly startedAt: string;
  /** `failed`: it could not be carried out; `refused`: it must not be now. */
  readonly outcome: 'clean' | 'findings' | 'failed' | 'refused';
  /** Counts; null without an audit. */
  readonly events: number | null;
  readonly findings: number | null;
  /** Why there is no audit, or no seal; null when nothing is missing. */
  readonly message: string | null;
  /** The canonical bytes that the archive has; null when there are none, or too many for a row. */
  readonly report: Uint8Array | null;
  /** The canonical envelope; null when it could not be signed, or is not in the archive. */
  readonly seal: Uint8Array | null;
}

/** The table takes no larger ones (bytes). */
const MAX_REPORT = 4 * 1_024 * 1_024;
/** UTF-16 code units. */
const MAX_MESSAGE = 1_000;
/** The audit is over: nobody waits longer for a copy. */
const TIMEOUT_MS = 10_000;

/** What was written of an audit, in bytes; null for what there is not, and why. */
export interface Documents {
  readonly report: Uint8Array | null;
  readonly seal: Uint8Array | null;
  readonly problem: string | null;
}

/** The record of an audit that was carried out. */
export function recordOf(
  { id, startedAt, verdict, events, findings }: Audit,
  { report, seal, problem }: Documents,
): RunRecord {
  const size = report?.length ?? 0;
  const fits = size <= MAX_REPORT;
  const tooLarge = `The report has ${size} bytes, too many for the database: read it in the archive.`;
  return {
    id,
    startedAt,
    outcome: verdict,
    events,
    findings: findings.count,
    message: [problem, fits ? null : tooLarge].filter((part) => part !== null).join(' ') || null,
    report: fits ? report : null,
    seal,
  };
}

/** The record of an audit that there is not. */
export function recordOfNone(outcome: 'failed' | 'refused', startedAt: string, message: string): RunRecord {
  const nothing = { events: null, findings: null, report: null, seal: null };
  return { id: randomUUID(), startedAt, outcome, message, ...nothing };
}

/** Adds the record; the table forgets the oldest by itself. @throws Error of the database */
export async function recordRun(dataSource: DataSource, run: RunRecord): Promise<void> {
  const { id, startedAt, outcome, events, findings, message, report, seal } = run;
  await dataSource.transaction(async (manager) => {
    await manager.query(`SET LOCAL statement_timeout = ${TIMEOUT_MS}`);
    await manager.query(
      `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings, message, report, seal)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        id,
        startedAt,
        outcome,
        events,
        findings,
        message === null ? null : storable(message.slice(0, MAX_MESSAGE)),
        bufferOf(report),
        bufferOf(seal),
      ],
    );
  });
}

/** The driver takes no other bytes. */
const bufferOf = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));
