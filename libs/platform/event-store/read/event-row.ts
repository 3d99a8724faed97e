import { type AuditEvent } from '#evidence';
import { type StoredEvent } from '../event-store.types';

/** What every read selects. */
export interface EventRow {
  canonical: Buffer;
}

/** Parsed when somebody looks: an export passes on the bytes alone. */
class StoredRow implements StoredEvent {
  private parsed: AuditEvent | undefined;

  constructor(readonly bytes: Uint8Array) {}

  get event(): AuditEvent {
    // The bytes were canonical when they were hashed. Whether they still are is for a verifier to say, not for a reader.
    this.parsed ??= JSON.parse(
      Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString('utf8'),
    ) as AuditEvent;
    return this.parsed;
  }
}

export function storedEvent({ canonical }: EventRow): StoredEvent {
  return new StoredRow(canonical);
}
