import { type AuditEvent } from '#evidence';
import { type StoredEvent } from '../event-store.types';

/** Columns that every read selects. */
export interface EventRow {
  canonical: Buffer;
}

/** Event parsed on first access: an export passes on only the bytes. */
class StoredRow implements StoredEvent {
  private parsed: AuditEvent | undefined;

  constructor(readonly bytes: Uint8Array) {}

  get event(): AuditEvent {
    // The bytes were canonical when they were hashed. A verifier checks whether they still are, not a reader.
    this.parsed ??= JSON.parse(
      Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString('utf8'),
    ) as AuditEvent;
    return this.parsed;
  }
}

export function storedEvent({ canonical }: EventRow): StoredEvent {
  return new StoredRow(canonical);
}
