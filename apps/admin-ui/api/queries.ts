import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { answered, api } from './client';
import { whileAttended } from './attention';
import { addSample } from './status-samples';

type Schemas = components['schemas'];
export type SecurityStatus = Schemas['SecurityStatus'];
export type AuditEvent = Schemas['AuditEvent'];
export type UpgradeSummary = Schemas['UpgradeSummary'];
export type Upgrade = Schemas['Upgrade'];
export type UpgradeStatus = Schemas['UpgradeStatus'];

const STATUS_EVERY_MS = 5_000;
const UPGRADES_EVERY_MS = 30_000;

/** Mode, signers, heads and signing: needs no role. */
export const statusQuery = queryOptions({
  queryKey: ['status'],
  queryFn: async ({ signal }) => {
    const from = performance.now();
    const status = await answered(api.GET('/kernel/security/status', { signal }));
    addSample(status, performance.now() - from);
    return status;
  },
  refetchInterval: whileAttended(STATUS_EVERY_MS),
});

/** Upgrades with a status, newest first: the first page, which is more than anyone looks at in a summary. */
export function upgradesQuery(status: UpgradeStatus) {
  return queryOptions({
    queryKey: ['upgrades', 'summary', status],
    queryFn: ({ signal }) =>
      answered(api.GET('/kernel/upgrade', { params: { query: { status, limit: 50 } }, signal })),
    refetchInterval: whileAttended(UPGRADES_EVERY_MS),
  });
}

export function upgradeQuery(id: string) {
  return queryOptions({
    queryKey: ['upgrades', 'one', id],
    queryFn: ({ signal }) => answered(api.GET('/kernel/upgrade/{id}', { params: { path: { id } }, signal })),
  });
}

/** The mode with its reason; for who may change it. */
export const modeQuery = queryOptions({
  queryKey: ['mode'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/admin/mode', { signal })),
});
