import { queryOptions } from '@tanstack/react-query';
import { type GivenEvent } from './judge-event';
import { verifyInWorker } from './run-verification';
import { answeredText } from '../../../api/client';
import { type AuditEvent } from '../../../api/queries';
import { eventTextAt } from '../event-queries';

/** The trust root as the kernel itself serves it. */
export const servedSignersQuery = queryOptions({
  queryKey: ['signers.json'],
  queryFn: ({ signal }) => answeredText('/kernel/keys/signers.json', signal),
});

/** The event before another one, as the kernel has it; null: it gives none. */
export function beforeQuery({ shard, seq }: AuditEvent, isAllowed: boolean) {
  return queryOptions({
    queryKey: ['events', 'text-at', shard, seq - 1],
    queryFn: ({ signal }) => eventTextAt(shard, seq - 1, signal),
    enabled: isAllowed && seq > 1,
    staleTime: Infinity,
  });
}

/** A number for each thing that was judged: a key with whole events in it would be slow to compare. */
const numbers = new WeakMap<GivenEvent, number>();
let last = 0;

function numberOf(given: GivenEvent): number {
  const number = numbers.get(given) ?? (last += 1);
  numbers.set(given, number);
  return number;
}

/** @param given null: not everything is there yet */
export function verificationQuery(given: GivenEvent | null) {
  return queryOptions({
    queryKey: ['verification', given === null ? null : numberOf(given)],
    queryFn: ({ signal }) => {
      if (given === null) throw new Error('there is nothing to verify');
      return verifyInWorker(given, signal);
    },
    enabled: given !== null,
    staleTime: Infinity,
    retry: false,
  });
}
