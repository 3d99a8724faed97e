import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, api } from '../../api/client';

export type AuditRun = components['schemas']['AuditRun'];
export type AuditRunDocuments = components['schemas']['AuditRunDocuments'];

/** One a night, and what people start. */
const EVERY_MS = 60_000;
const PAGE = 50;

/** Recorded audits, newest first; one page. */
export function auditRunsQuery(cursor: string | undefined, limit = PAGE) {
  return queryOptions({
    queryKey: ['audit-runs', 'list', limit, cursor],
    queryFn: ({ signal }) => {
      const query = { limit, ...(cursor !== undefined && { cursor }) };
      return answered(api.GET('/kernel/audit-runs', { params: { query }, signal }));
    },
    refetchInterval: whileAttended(EVERY_MS),
  });
}

/** One audit with its report and seal: what it says does not change, what its seal is worth may. */
export function auditRunQuery(runId: string) {
  return queryOptions({
    queryKey: ['audit-runs', 'one', runId],
    queryFn: ({ signal }) =>
      answered(api.GET('/kernel/audit-runs/{runId}', { params: { path: { runId } }, signal })),
  });
}
