import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, api } from '../../api/client';
import { includingWritten } from '../../api/written-position';

type Schemas = components['schemas'];
export type Division = Schemas['Division'];
export type Balance = Schemas['Balance'];
export type Agent = Schemas['Agent'];
export type AgentNow = Schemas['AgentNow'];
export type Allocation = Schemas['Allocation'];
export type ReasonTrace = Schemas['ReasonTrace'];

const EVERY_MS = 20_000;
const PAGE = 50;

export function divisionsQuery(cursor: string | undefined) {
  return queryOptions({
    queryKey: ['divisions', 'list', cursor],
    queryFn: ({ signal }) => {
      const query = { limit: PAGE, ...(cursor !== undefined && { cursor }) };
      return answered(api.GET('/kernel/division', { params: { query, header: includingWritten() }, signal }));
    },
    refetchInterval: whileAttended(EVERY_MS),
  });
}

export function divisionQuery(id: string, version?: number) {
  return queryOptions({
    queryKey: ['divisions', 'one', id, version],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/kernel/division/{id}', {
          params: { path: { id }, query: version === undefined ? {} : { version } },
          signal,
        }),
      ),
    refetchInterval: version === undefined ? whileAttended(EVERY_MS) : false,
  });
}

export function agentsQuery(divisionId: string | undefined, cursor: string | undefined, limit = PAGE) {
  return queryOptions({
    queryKey: ['agents', 'list', divisionId, cursor, limit],
    queryFn: ({ signal }) => {
      const query = {
        limit,
        ...(divisionId !== undefined && { divisionId }),
        ...(cursor !== undefined && { cursor }),
      };
      return answered(api.GET('/kernel/agent', { params: { query, header: includingWritten() }, signal }));
    },
    refetchInterval: whileAttended(EVERY_MS),
  });
}

export function agentQuery(id: string) {
  return queryOptions({
    queryKey: ['agents', 'one', id],
    queryFn: ({ signal }) =>
      answered(api.GET('/kernel/agent/{id}/state', { params: { path: { id } }, signal })),
    refetchInterval: whileAttended(EVERY_MS),
  });
}

export function allocationsQuery(divisionId: string, cursor: string | undefined, limit = PAGE) {
  return queryOptions({
    queryKey: ['divisions', 'allocations', divisionId, cursor, limit],
    queryFn: ({ signal }) => {
      const query = { divisionId, limit, ...(cursor !== undefined && { cursor }) };
      return answered(api.GET('/kernel/allocate', { params: { query, header: includingWritten() }, signal }));
    },
  });
}

export function traceQuery(node: string, direction: 'causes' | 'effects') {
  return queryOptions({
    queryKey: ['why', node, direction],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/kernel/reason/{node}', { params: { path: { node }, query: { direction } }, signal }),
      ),
  });
}
