import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { auditReportKeys } from '#evidence';
import { type AuditRunDocuments } from '#openapi/kernel';
import { AuditRunRows } from './audit-run-rows';
import { AuditError } from './domain/audit.error';
import { exactText } from './domain/audit-run';
import { RunJudge } from './run-judge';

/** One recorded audit with its report and its seal. */
export class GetAuditRun extends Query<AuditRunDocuments> {
  constructor(readonly id: string) {
    super();
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

@QueryHandler(GetAuditRun)
export class GetAuditRunHandler implements IQueryHandler<GetAuditRun, AuditRunDocuments> {
  constructor(
    private readonly rows: AuditRunRows,
    private readonly judge: RunJudge,
  ) {}

  /** @throws AuditError `audit_run_not_found` */
  async execute({ id }: GetAuditRun): Promise<AuditRunDocuments> {
    const row = UUID.test(id) ? await this.rows.one(id) : null;
    const [run] = row === null ? [] : await this.judge.judge([row]);
    if (row === null || run === undefined) {
      throw new AuditError(
        'audit_run_not_found',
        `No audit ${id} is recorded here. The newest 1,000 are; the archive has the report of every one.`,
      );
    }
    const wasCarriedOut = row.outcome === 'clean' || row.outcome === 'findings';
    return {
      run,
      report: exactText(row.report),
      seal: exactText(row.seal),
      archiveKeys: wasCarriedOut ? auditReportKeys(row) : null,
    };
  }
}
