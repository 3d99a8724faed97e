import { canonicalize, csvLine, type JsonValue } from '#evidence';
import { type AuditEvent } from '../../../api/queries';

export type Format = 'csv' | 'ndjson';

const COLUMNS: readonly { readonly name: string; readonly of: (event: AuditEvent) => string | number }[] = [
  { name: 'time', of: ({ ts }) => ts },
  { name: 'id', of: ({ id }) => id },
  { name: 'shard', of: ({ shard }) => shard },
  { name: 'seq', of: ({ seq }) => seq },
  { name: 'type', of: ({ type }) => type },
  { name: 'stream', of: ({ stream }) => stream },
  { name: 'stream_version', of: ({ streamVersion }) => streamVersion },
  { name: 'actor', of: ({ actor }) => actor.id },
  { name: 'actor_kind', of: ({ actor }) => actor.kind },
  { name: 'actor_roles', of: ({ actor }) => actor.roles.join(' ') },
  { name: 'correlation_id', of: ({ correlationId }) => correlationId ?? '' },
  { name: 'causation_id', of: ({ causationId }) => causationId ?? '' },
  { name: 'signer_kid', of: ({ signerKid }) => signerKid },
  { name: 'hash', of: ({ hash }) => hash },
  { name: 'payload', of: ({ payload }) => canonicalize(payload as JsonValue) },
];

/** What stands before the first event. */
export function firstLines(format: Format): string {
  return format === 'csv' ? `${csvLine(COLUMNS.map(({ name }) => name))}\r\n` : '';
}

/**
 * Events as lines. As NDJSON they are the canonical bytes again, which verifiers take; as CSV a spreadsheet can read
 * them, and nothing in them is run there.
 */
export function eventLines(format: Format, events: readonly AuditEvent[]): string {
  return events
    .map((event) =>
      format === 'csv'
        ? `${csvLine(COLUMNS.map(({ of }) => of(event)))}\r\n`
        : `${canonicalize(event as unknown as JsonValue)}\n`,
    )
    .join('');
}
