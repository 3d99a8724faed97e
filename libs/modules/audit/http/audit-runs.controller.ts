import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { Policy } from '#platform/edge';
import { GetAuditRun } from '../get-audit-run.handler';
import { ListAuditRuns } from '../list-audit-runs.handler';

/** openapi/kernel.yaml: the page length when a caller names none. */
const DEFAULT_LIMIT = 50;

@Controller('kernel/audit-runs')
export class AuditRunsController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  @Get()
  @Policy('audit-run.read')
  list(@Query() { cursor, limit }: { cursor?: string; limit?: number }): Promise<contract.AuditRunPage> {
    return this.queries.execute(new ListAuditRuns(cursor ?? null, limit ?? DEFAULT_LIMIT));
  }

  @Get(':runId')
  @Policy('audit-run.read')
  run(@Param('runId') id: string): Promise<contract.AuditRunDocuments> {
    return this.queries.execute(new GetAuditRun(id));
  }
}
