import { type VerifiedEvent } from '../shard-handler';
import { signedDigest } from '#platform/event-store';
import { arrayOfPlain, arrayOfText, storable } from '#platform/postgres';
import { type JsonObject, type JsonValue } from '#evidence';

/** The division that an event belongs to, which decides who may see it in a list. */
export type DivisionOf = (stream: string, payload: JsonObject) => string | null;

/**
 * Columns of the index's rows, from parameters that begin with number `first`. Long values travel as one binary
 * parameter, cut up on the server: an array of bytea would have to be sent as text, at twice the size. The payload is
 * taken from the canonical bytes there as well, so that it need not travel a second time.
 */
export function rowsFrom(first: number): string {
  const $ = (n: number): string => `$${first + n}`;
  return `
    SELECT e.id, ${$(0)}::integer, e.seq, e.type, e.stream, e.stream_version, e.actor_id, e.ts, e.signer_kid, e.division,
           substring(${$(9)}::bytea FROM (e.n::integer - 1) * 32 + 1 FOR 32),
           CASE WHEN e.payload IS NULL
             THEN convert_from(substring(${$(10)}::bytea FROM e.start FOR e.length), 'UTF8')::jsonb -> 'payload'
             ELSE e.payload::jsonb END,
           substring(${$(10)}::bytea FROM e.start FOR e.length), e.correlation_id, decode(e.sha256, 'hex')
    FROM unnest(${$(1)}::uuid[], ${$(2)}::bigint[], ${$(3)}::text[], ${$(4)}::text[], ${$(5)}::bigint[], ${$(6)}::text[],
                ${$(7)}::timestamptz[], ${$(8)}::text[], ${$(11)}::text[], ${$(12)}::text[], ${$(13)}::integer[], ${$(14)}::integer[],
                ${$(15)}::uuid[], ${$(16)}::text[])
      WITH ORDINALITY AS e(id, seq, type, stream, stream_version, actor_id, ts, signer_kid, division, payload, start, length,
                              correlation_id, sha256, n)`;
}

export const ROW_COLUMNS =
  '(id, shard, seq, type, stream, stream_version, actor_id, ts, signer_kid, division, hash, payload, canonical, correlation_id, sha256)';

/** Parameters of `rowsFrom`. */
export function rowValues(
  shard: number,
  verified: readonly VerifiedEvent[],
  divisionOf: DivisionOf,
): unknown[] {
  const events = verified.map(({ event }) => event);
  const starts: number[] = [];
  let next = 1;
  for (const { bytes } of verified) {
    starts.push(next);
    next += bytes.length;
  }
  const text = (values: readonly (string | null)[]): string =>
    arrayOfText(values.map((value) => value && storable(value)));
  return [
    shard,
    arrayOfPlain(events.map(({ id }) => id)),
    arrayOfPlain(events.map(({ seq }) => seq)),
    text(events.map(({ type }) => type)),
    text(events.map(({ stream }) => stream)),
    arrayOfPlain(events.map(({ streamVersion }) => streamVersion)),
    text(events.map(({ actor }) => actor.id)),
    arrayOfPlain(events.map(({ ts }) => ts)),
    text(events.map(({ signerKid }) => signerKid)),
    Buffer.from(events.map(({ hash }) => hash).join(''), 'hex'),
    Buffer.concat(verified.map(({ bytes }) => bytes)),
    text(events.map(({ stream, payload }) => divisionOf(stream, payload))),
    arrayOfText(verified.map(({ event, bytes }) => queryablePayload(event.payload, bytes))),
    arrayOfPlain(starts),
    arrayOfPlain(verified.map(({ bytes }) => bytes.length)),
    arrayOfPlain(events.map(({ correlationId }) => correlationId ?? 'NULL')),
    arrayOfPlain(events.map((event) => signedDigest(event) ?? 'NULL')),
  ];
}

/** JSON's escape of U+0000; a backslash before it may change its meaning, which costs only a look. */
const ESCAPED_NUL = Buffer.from('\\u0000');

/**
 * PostgreSQL's text and jsonb have no U+0000. For queries, the replacement character replaces it; the unchanged event
 * stays in `canonical`. Null: the payload can be used as it is.
 */
function queryablePayload(payload: JsonObject, bytes: Uint8Array): string | null {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(ESCAPED_NUL)) return null;
  return JSON.stringify(withoutNul(payload));
}

function withoutNul(value: JsonValue): JsonValue {
  if (typeof value === 'string') return storable(value);
  if (Array.isArray(value)) return value.map(withoutNul);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [storable(name), withoutNul(member)]),
  );
}
