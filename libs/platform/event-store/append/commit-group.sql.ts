import { type StoredEvent } from '../event-store.types';
import { arrayOfPlain, arrayOfText, type Statement } from '#platform/postgres';
import { type HeadPosition } from './append-state.sql';

/** Everything that one group commits, numbered on top of `base`. */
export interface GroupCommit {
  shard: number;
  /** The head that the group was numbered against. */
  base: HeadPosition;
  /** The head after it. */
  head: HeadPosition;
  signerKid: string;
  /** The last change of the keys that the signer knew of. */
  fence: number;
  events: readonly { stored: StoredEvent; division: string | null }[];
  answers: readonly {
    caller: string;
    key: string;
    requestHash: string;
    status: number;
    body: Uint8Array;
    /** By the row key; see `answerMac`. */
    mac: Uint8Array;
  }[];
  /** Start of the answers' age; milliseconds since 1970. */
  now: number;
  /** Traces that go on with the events (`traceparent`); none mostly. */
  traces: readonly { seq: number; traceparent: string }[];
}

/**
 * Compares the head and sets it, and only then inserts: when another process was first, or the keys have changed,
 * nothing is written. Waits for the holder of the head row, and then compares with what that one left: everything that
 * decides is in the row itself. One statement, and so one transaction.
 *
 * Long values travel as one binary parameter, cut up on the server by offset and length: an array of bytea would have
 * to be sent as text, at twice the size.
 */
const COMMIT_GROUP: Statement = { name: 'kernel_commit_group', text: commitText('') };

/** The same for a group with traces: the others are spared their two parameters. */
const COMMIT_TRACED_GROUP: Statement = {
  name: 'kernel_commit_traced_group',
  text: commitText(`, traced AS (
      INSERT INTO kernel.event_traces (shard, seq, traceparent)
      SELECT moved.shard, t.seq, t.traceparent FROM moved, unnest($28::bigint[], $29::text[]) AS t(seq, traceparent)
      ON CONFLICT DO NOTHING
    )`),
};

function commitText(traced: string): string {
  return `
    WITH moved AS (
      UPDATE kernel.shard_head SET seq = $4, hash = $5, ts = $6
      WHERE shard = $1 AND seq = $2 AND hash = $3 AND fence = $27
      RETURNING shard
    ), appended AS (
      INSERT INTO kernel.events (shard, seq, id, ts, type, stream, stream_version, actor_id, division, signer_kid, hash, canonical)
      SELECT moved.shard, $2 + e.n, e.id, $6, e.type, e.stream, e.stream_version, e.actor_id, e.division, $13,
             substring($14::bytea FROM (e.n::integer - 1) * 32 + 1 FOR 32),
             substring($15::bytea FROM e.start FOR e.length)
      FROM moved, unnest($7::uuid[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $16::integer[], $17::integer[])
        WITH ORDINALITY AS e(id, type, stream, stream_version, actor_id, division, start, length, n)
    ), answered AS (
      INSERT INTO kernel.idempotency (caller, key, request_hash, status, body, created_at, mac)
      SELECT a.caller, a.key, a.request_hash, a.status, substring($22::bytea FROM a.start FOR a.length), $25,
             substring($26::bytea FROM (a.n::integer - 1) * 32 + 1 FOR 32)
      FROM moved, unnest($18::text[], $19::text[], $20::text[], $21::integer[], $23::integer[], $24::integer[])
        WITH ORDINALITY AS a(caller, key, request_hash, status, start, length, n)
    )${traced}
    SELECT (SELECT shard FROM moved) IS NOT NULL AS moved`;
}

export interface CommitGroupRow {
  moved: boolean;
}

/** The statement that commits a group, with its values. */
export function commitGroup(group: GroupCommit): [Statement, unknown[]] {
  const values = commitGroupValues(group);
  const { traces } = group;
  if (traces.length === 0) return [COMMIT_GROUP, values];
  values.push(
    arrayOfPlain(traces.map(({ seq }) => seq)),
    arrayOfPlain(traces.map(({ traceparent }) => traceparent)),
  );
  return [COMMIT_TRACED_GROUP, values];
}

function commitGroupValues(group: GroupCommit): unknown[] {
  const events = group.events.map(({ stored }) => stored.event);
  const canonical = pack(group.events.map(({ stored }) => stored.bytes));
  const bodies = pack(group.answers.map(({ body }) => body));
  return [
    group.shard,
    group.base.seq,
    Buffer.from(group.base.hash, 'hex'),
    group.head.seq,
    Buffer.from(group.head.hash, 'hex'),
    new Date(group.head.ms).toISOString(),
    arrayOfPlain(events.map(({ id }) => id)),
    arrayOfText(events.map(({ type }) => type)),
    arrayOfText(events.map(({ stream }) => stream)),
    arrayOfPlain(events.map(({ streamVersion }) => streamVersion)),
    arrayOfText(events.map(({ actor }) => actor.id)),
    arrayOfText(group.events.map(({ division }) => division)),
    group.signerKid,
    Buffer.from(events.map(({ hash }) => hash).join(''), 'hex'),
    canonical.bytes,
    arrayOfPlain(canonical.starts),
    arrayOfPlain(canonical.lengths),
    arrayOfText(group.answers.map(({ caller }) => caller)),
    arrayOfText(group.answers.map(({ key }) => key)),
    arrayOfText(group.answers.map(({ requestHash }) => requestHash)),
    arrayOfPlain(group.answers.map(({ status }) => status)),
    bodies.bytes,
    arrayOfPlain(bodies.starts),
    arrayOfPlain(bodies.lengths),
    new Date(group.now).toISOString(),
    Buffer.concat(group.answers.map(({ mac }) => mac)),
    group.fence,
  ];
}

/** `starts` count from 1, as SQL's substring does. */
function pack(parts: readonly Uint8Array[]): { bytes: Buffer; starts: number[]; lengths: number[] } {
  const starts: number[] = [];
  let next = 1;
  for (const part of parts) {
    starts.push(next);
    next += part.length;
  }
  return { bytes: Buffer.concat(parts), starts, lengths: parts.map(({ length }) => length) };
}
