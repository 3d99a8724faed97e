import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type AuditEvent, statusQuery } from '../../../api/queries';
import { permitted, useSession } from '../../../session/session';
import { isUnpublished, receiptQuery } from '../event-queries';
import { type GivenEvent } from './judge-event';
import { type TrustFile } from './trust-files';
import { beforeQuery, servedSignersQuery } from './verification-query';

export interface GivenState {
  /** Null: not everything is there yet. */
  readonly given: GivenEvent | null;
  /** Why it does not come; null: it comes. */
  readonly error: unknown;
}

const FIRST = 'There is none before the first.';
const NOT_ALLOWED =
  'You may see the events of your division alone, and the one before it may belong to another.';
const NOT_THERE = 'The kernel gave no event at the position before it.';

/** Everything that an event is judged by, as it comes in. */
export function useGivenEvent(
  event: AuditEvent,
  text: string,
  own: { readonly signers: TrustFile | null; readonly policy: TrustFile | null },
): GivenState {
  const mayReadAll = permitted(useSession(), 'audit.export') === 'all';
  const status = useQuery(statusQuery);
  const served = useQuery({ ...servedSignersQuery, enabled: own.signers === null });
  const before = useQuery(beforeQuery(event, mayReadAll));
  const receipt = useQuery(receiptQuery(event.id));

  const signers = own.signers?.text ?? served.data;
  const policy = own.policy?.text ?? null;
  const receiptText = receipt.data ?? (isUnpublished(receipt.error) ? null : undefined);
  const beforeText = event.seq === 1 || !mayReadAll ? null : before.data;
  const missing = event.seq === 1 ? FIRST : mayReadAll ? NOT_THERE : NOT_ALLOWED;
  const origin = status.data?.origin;
  const shards = status.data?.heads.length;
  const given = useMemo<GivenEvent | null>(() => {
    if (signers === undefined || receiptText === undefined || beforeText === undefined) return null;
    if (origin === undefined || shards === undefined) return null;
    return {
      event: text,
      before: beforeText === null ? { missing } : { text: beforeText },
      receipt: receiptText,
      signers,
      policy,
      kernel: { origin, shards },
    };
  }, [text, signers, receiptText, beforeText, missing, policy, origin, shards]);
  const errors = [
    status.data === undefined ? status.error : null,
    signers === undefined ? served.error : null,
    beforeText === undefined ? before.error : null,
    receiptText === undefined ? receipt.error : null,
  ];
  return { given, error: given === null ? (errors.find((error) => error !== null) ?? null) : null };
}
