import { type AuditEvent } from '#evidence';
import { type SqlSource } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import { signedDigest } from '#platform/event-store';
import { storable } from '#platform/postgres';

/** An event of the store beside its copy in the index. */
export interface StoredRow {
  readonly seq: number;
  readonly id: string;
  readonly type: string;
  readonly stream: string;
  readonly streamVersion: number;
  readonly actorId: string;
  readonly signerKid: string;
  /** Hex. */
  readonly hash: string;
  readonly canonical: Buffer;
  readonly indexed: 'equal' | 'different' | 'missing';
  /** Whether the event's key leads to this row. */
  readonly keyed: boolean;
}

interface RawRow {
  seq: string;
  id: string;
  type: string;
  stream: string;
  stream_version: string;
  actor_id: string;
  signer_kid: string;
  hash: string;
  canonical: Buffer;
  indexed: StoredRow['indexed'];
  keyed: boolean;
  indexed_division: string | null;
  indexed_correlation: string | null;
  indexed_sha256: string | null;
}

/**
 * The server compares rows: what the index repeats of an event, and its canonical bytes. Columns of the index that the
 * store lacks are compared with the event here: one that was changed would hide an event from a filter. The jsonb payload
 * is left out, because no answer is made from it. Where a partition was detached, the index's rows are all that the database
 * has: they are checked as the event store's are, and compared with the archive.
 */
const COLUMNS = `
  e.seq, e.id, e.type, e.stream, e.stream_version, e.actor_id, e.signer_kid, encode(e.hash, 'hex') AS hash, e.canonical,
  i.division AS indexed_division, i.correlation_id AS indexed_correlation, encode(i.sha256, 'hex') AS indexed_sha256,
  CASE WHEN i.seq IS NULL THEN 'missing'
       WHEN (i.id, i.type, i.stream, i.stream_version, i.actor_id, i.ts, i.signer_kid, i.hash, i.canonical)
          = (e.id, e.type, e.stream, e.stream_version, e.actor_id, e.ts, e.signer_kid, e.hash, e.canonical)
       THEN 'equal' ELSE 'different' END AS indexed,
  (k.shard, k.seq, k.stream, k.stream_version) IS NOT DISTINCT FROM (e.shard, e.seq, e.stream, e.stream_version) AS keyed`;
const EVENT = 'shard, seq, id, type, stream, stream_version, actor_id, ts, signer_kid, hash, canonical';
const rowsOf = (condition: string, limit: string): string => `
  SELECT ${COLUMNS}
  FROM ((SELECT ${EVENT} FROM kernel.events e
         WHERE e.shard = $1 AND e.seq >= kernel.attached_from($1) AND ${condition} ORDER BY e.seq ${limit})
        UNION ALL
        (SELECT ${EVENT} FROM kernel_index.events e
         WHERE e.shard = $1 AND e.seq < kernel.attached_from($1) AND ${condition} ORDER BY e.seq ${limit})) e
  LEFT JOIN kernel_index.events i ON i.shard = e.shard AND i.seq = e.seq
  LEFT JOIN kernel.event_keys k ON k.id = e.id
  ORDER BY e.seq ${limit}`;

/** Reads the event store page by page; memory does not grow with it. */
export class StoredEvents {
  constructor(private readonly sql: SqlSource) {}

  async page(shard: number, after: number, last: number, limit: number): Promise<StoredRow[]> {
    return this.rows(rowsOf('e.seq > $2 AND e.seq <= $3', 'LIMIT $4'), [shard, after, last, limit]);
  }

  async some(shard: number, seqs: readonly number[]): Promise<StoredRow[]> {
    return this.rows(rowsOf('e.seq = ANY($2::bigint[])', ''), [shard, seqs]);
  }

  /** Rows of the index that no event of the store has, in (after, last]; without `last`, all behind `after`. */
  async extraInIndex(
    shard: number,
    after: number,
    last: number | null,
    limit: number,
  ): Promise<{ seq: number; id: string }[]> {
    const rows = (await this.sql.query(
      `SELECT i.seq, i.id FROM kernel_index.events i
       WHERE i.shard = $1 AND i.seq > $2 AND i.seq >= kernel.attached_from($1) AND ($3::bigint IS NULL OR i.seq <= $3)
         AND NOT EXISTS (SELECT FROM kernel.events e WHERE e.shard = i.shard AND e.seq = i.seq)
       ORDER BY i.seq LIMIT $4`,
      [shard, after, last, limit],
    )) as { seq: string; id: string }[];
    return rows.map(({ seq, id }) => ({ seq: Number(seq), id }));
  }

  /** The day in the key of each of these events; what is no event of the store is left out. */
  async daysOf(ids: readonly string[]): Promise<Map<string, string>> {
    const rows = (await this.sql.query(
      `SELECT k.id, to_char(e.ts AT TIME ZONE 'UTC', 'YYYY/MM/DD') AS day
       FROM kernel.event_keys k, kernel.event_at(k.shard, k.seq) e WHERE k.id = ANY($1::uuid[])`,
      [ids],
    )) as { id: string; day: string }[];
    return new Map(rows.map(({ id, day }) => [id, day]));
  }

  /** Streams whose versions are not 1, 2, 3, ...; each version exists once, the table sees to that. By the keys, which `page` compares. */
  async brokenStreams(
    limit: number,
  ): Promise<{ stream: string; shard: number; events: number; last: number }[]> {
    const rows = (await this.sql.query(
      `SELECT stream, min(shard) AS shard, count(*) AS events, max(stream_version) AS last
       FROM kernel.event_keys GROUP BY stream
       HAVING count(*) <> max(stream_version) OR min(stream_version) <> 1 OR min(shard) <> max(shard) LIMIT $1`,
      [limit],
    )) as { stream: string; shard: number; events: string; last: string }[];
    return rows.map(({ events, last, ...row }) => ({ ...row, events: Number(events), last: Number(last) }));
  }

  async firstSeqAt(shard: number, at: string): Promise<number> {
    const [row] = (await this.sql.query('SELECT kernel.first_seq_at($1, $2) AS seq', [shard, at])) as {
      seq: string;
    }[];
    return Number(row?.seq ?? 1);
  }

  private async rows(sql: string, parameters: unknown[]): Promise<StoredRow[]> {
    const rows = (await this.sql.query(sql, parameters)) as RawRow[];
    return rows.map((raw) => {
      const { seq, stream_version, actor_id, signer_kid, id, type, stream, hash, canonical } = raw;
      return {
        id,
        type,
        stream,
        hash,
        canonical,
        keyed: raw.keyed,
        indexed: raw.indexed === 'equal' && !filtersAgree(raw) ? 'different' : raw.indexed,
        seq: Number(seq),
        streamVersion: Number(stream_version),
        actorId: actor_id,
        signerKid: signer_kid,
      };
    });
  }
}

/** Whether the index finds an event by what it says. An event that is no JSON is a fault of the chain, found elsewhere. */
function filtersAgree(row: RawRow): boolean {
  let event: AuditEvent;
  try {
    event = JSON.parse(row.canonical.toString()) as AuditEvent;
  } catch {
    return true;
  }
  const { stream, payload, correlationId } = event;
  if (typeof payload !== 'object') return true;
  const division = divisionOf(stream, payload);
  return (
    row.indexed_division === (division === null ? null : storable(division)) &&
    row.indexed_correlation === (correlationId?.toLowerCase() ?? null) &&
    row.indexed_sha256 === signedDigest(event)
  );
}
