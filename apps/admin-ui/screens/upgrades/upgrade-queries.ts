import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, answeredText, api } from '../../api/client';
import { type UpgradeStatus } from '../../api/queries';

export type Approvers = components['schemas']['Approvers'];
export type PoolMember = components['schemas']['PoolMember'];
export type Timeline = components['schemas']['UpgradeWithTimeline']['timeline'];
export type ApprovalRequest = components['schemas']['ApprovalRequest'];

const EVERY_MS = 30_000;
export const PAGE = 50;

/** One page of upgrades, newest first. */
export function listQuery(filters: { status?: UpgradeStatus; type?: string; cursor?: string }) {
  return queryOptions({
    queryKey: ['upgrades', 'list', filters],
    queryFn: ({ signal }) =>
      answered(api.GET('/kernel/upgrade', { params: { query: { ...filters, limit: PAGE } }, signal })),
    refetchInterval: whileAttended(EVERY_MS),
  });
}

/** The pool in force, and its pending changes. */
export const approversQuery = queryOptions({
  queryKey: ['upgrades', 'approvers'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/approvers', { signal })),
  refetchInterval: whileAttended(EVERY_MS),
});

/** The trust root: which keys sign. */
export const signersQuery = queryOptions({
  queryKey: ['signers'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/keys/signers.json', { signal })),
});

/** The evidence of an upgrade as text, byte for byte. */
export function fetchEvidence(id: string): Promise<string> {
  return answeredText(`/kernel/upgrade/${encodeURIComponent(id)}/evidence`);
}
