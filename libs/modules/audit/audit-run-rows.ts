import { Injectable } from '@nestjs/common';
import { Database, PostgresError } from '#platform/postgres';
import { unavailable } from '#platform/event-store';
import { type AuditRunRow } from './domain/audit-run';

interface Row {
  n: string;
  id: string;
  recorded_at: Date;
  started_at: Date;
  outcome: AuditRunRow['outcome'];
  events: string | null;
  findings: string | null;
  message: string | null;
  report_sha256: string | null;
  report_size: number | null;
  seal: Buffer | null;
}

const COLUMNS = `n, id, recorded_at, started_at, outcome, events, findings, message,
  encode(report_sha256, 'hex') AS report_sha256, report_size, seal`;

/** Audits as the auditor recorded them in kernel.audit_runs, each as it stands there: anyone with its role can have written it. */
@Injectable()
export class AuditRunRows {
  constructor(private readonly database: Database) {}

  /**
   * The newest first, by when they were recorded.
   * @param before only those that were recorded before this one; null: from the newest on
   * @throws EventStoreError `store_unavailable`
   */
  async page(before: number | null, limit: number): Promise<AuditRunRow[]> {
    const rows = await this.ask<Row>(
      `SELECT ${COLUMNS} FROM kernel.audit_runs WHERE $1::bigint IS NULL OR n < $1 ORDER BY n DESC LIMIT $2`,
      [before, limit],
    );
    return rows.map(rowOf);
  }

  /** One of them, with the bytes of its report. @throws EventStoreError `store_unavailable` */
  async one(id: string): Promise<(AuditRunRow & { report: Buffer | null }) | null> {
    const [row] = await this.ask<Row & { report: Buffer | null }>(
      `SELECT ${COLUMNS}, report FROM kernel.audit_runs WHERE id = $1`,
      [id],
    );
    return row === undefined ? null : { ...rowOf(row), report: row.report };
  }

  private async ask<R extends object>(text: string, values: unknown[]): Promise<R[]> {
    try {
      return await this.database.query<R>(text, values);
    } catch (cause) {
      throw cause instanceof PostgresError ? unavailable(cause) : cause;
    }
  }
}

function rowOf({ n, recorded_at, started_at, events, findings, report_sha256, report_size, ...row }: Row) {
  const { id, outcome, message, seal } = row;
  return {
    n: Number(n),
    id,
    recordedAt: recorded_at.toISOString(),
    startedAt: started_at.toISOString(),
    outcome,
    events: events === null ? null : Number(events),
    findings: findings === null ? null : Number(findings),
    message,
    reportSha256: report_sha256,
    reportSize: report_size,
    seal,
  };
}
