import { EvidenceError, type Founding, FOUNDING_TYPE, GOVERNANCE_SHARD, readFounding } from '#evidence';
import { type EventStore, EventStoreError } from '#platform/event-store';

/**
 * Refuses to run on a chain that another kernel founded, or nobody. Both are fixed for ever: under every hash lies the
 * origin, and the shard of a stream follows from their number.
 * @throws EventStoreError `chain_mismatch`, `store_unavailable`
 */
export async function assertFoundedAs(
  store: Pick<EventStore, 'at' | 'heads'>,
  { origin, shards }: { origin: string; shards: number },
): Promise<void> {
  const founding = await foundingOf(store);
  if (founding === null || (founding.origin === origin && founding.shards === shards)) return;
  throw new EventStoreError(
    'chain_mismatch',
    `The event 0:1 founded ${founding.origin} with ${founding.shards} shard(s), and this kernel is configured as ${origin} with ${shards}. ` +
      'Set KERNEL_ORIGIN and KERNEL_SHARDS to what they were; a kernel with others is a new one, on an empty database and archive.',
    { founded: { origin: founding.origin, shards: founding.shards }, expected: { origin, shards } },
  );
}

/**
 * What the first event says; null in an empty store.
 * @throws EventStoreError `chain_mismatch` when the store begins with anything else
 */
export async function foundingOf(store: Pick<EventStore, 'at' | 'heads'>): Promise<Founding | null> {
  const filled = (await store.heads()).find(({ seq }) => seq > 0);
  if (filled === undefined) return null;
  // Whatever was there when the heads were read came after the founding, or with it.
  const first = await store.at(GOVERNANCE_SHARD, 1);
  try {
    if (first?.event.type === FOUNDING_TYPE) return readFounding(first.event.payload);
  } catch (error) {
    // Bytes that are no event, or no founding.
    if (!(error instanceof EvidenceError || error instanceof SyntaxError)) throw error;
  }
  throw notFounded(`${filled.shard}:${filled.seq}`);
}

function notFounded(position: string): EventStoreError {
  return new EventStoreError(
    'chain_mismatch',
    `The store has an event at ${position}, but its first event 0:1 is not the founding of a kernel (${FOUNDING_TYPE}). ` +
      'Nothing can be verified from there on: use an empty database, or fill it from the archive (./kernel replay --from archive --to store).',
    { position },
  );
}
