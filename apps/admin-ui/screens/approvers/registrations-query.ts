import { queryOptions } from '@tanstack/react-query';
import { answered, api } from '../../api/client';
import { whileAttended } from '../../api/attention';

const EVERY_MS = 30_000;
/** Registrations that are shown; the audit log has them all. */
const MOST = 100;

/** What the chain has of registered passkeys. Read again with what is read of upgrades. */
export const registrationsQuery = queryOptions({
  queryKey: ['upgrades', 'registrations'],
  queryFn: ({ signal }) =>
    answered(
      api.GET('/kernel/audit', {
        params: { query: { type: 'approver.credential_registered', limit: MOST } },
        signal,
      }),
    ),
  refetchInterval: whileAttended(EVERY_MS),
});
