import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type AuditRunPage } from '#openapi/kernel';
import { AuditRunRows } from './audit-run-rows';
import { RunJudge } from './run-judge';

/** Audits that were recorded, the newest first. */
export class ListAuditRuns extends Query<AuditRunPage> {
  /** @param cursor the `nextCursor` of the page before */
  constructor(
    readonly cursor: string | null,
    readonly limit: number,
  ) {
    super();
  }
}

@QueryHandler(ListAuditRuns)
export class ListAuditRunsHandler implements IQueryHandler<ListAuditRuns, AuditRunPage> {
  constructor(
    private readonly rows: AuditRunRows,
    private readonly judge: RunJudge,
  ) {}

  async execute({ cursor, limit }: ListAuditRuns): Promise<AuditRunPage> {
    // One more than is shown says whether there are more.
    const found = await this.rows.page(cursor === null ? null : Number(cursor), limit + 1);
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return {
      runs: await this.judge.judge(shown),
      nextCursor: found.length > limit && last !== undefined ? String(last.n) : null,
    };
  }
}
