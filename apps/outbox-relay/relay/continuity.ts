import { type StoredEvent } from '#platform/event-store';
import { type Cursor } from './relay-cursor';
import { RelayFault } from './relay-fault';

/**
 * The place after these events, which must come right behind the cursor and link to it. Consumers, who do not trust the
 * store, check hashes and signatures.
 *
 * @throws RelayFault
 */
export function continued(shard: number, cursor: Cursor, events: readonly StoredEvent[]): Cursor {
  return events.reduce((last, { event }) => {
    if (event.shard !== shard || event.seq !== last.seq + 1) {
      throw new RelayFault(
        'gap',
        shard,
        last.seq + 1,
        `After event ${last.seq} of shard ${shard} the store gives out event ${event.seq} of shard ${event.shard}; the one between is missing.`,
      );
    }
    if (event.prevHash !== last.hash) {
      throw new RelayFault(
        'link',
        shard,
        event.seq,
        `Event ${event.seq} of shard ${shard} (${event.id}) continues ${event.prevHash}, but event ${last.seq} has the hash ${last.hash}.`,
      );
    }
    return { seq: event.seq, hash: event.hash };
  }, cursor);
}

/** Events published at once: bounds memory, and what is repeated after a failure. */
export const BATCH_EVENTS = 500;
/** Canonical bytes of these events. */
const BATCH_BYTES = 4 * 1024 * 1024;

/** In order, each at most as large as the bounds, at least one event. */
export function* batches(events: readonly StoredEvent[]): Generator<StoredEvent[]> {
  let batch: StoredEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = event.bytes.byteLength;
    if (batch.length > 0 && (batch.length === BATCH_EVENTS || bytes + size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(event);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
