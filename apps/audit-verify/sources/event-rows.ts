import { type Client } from 'pg';
import { REGISTRY_TYPES } from '#evidence';
import { UsageError } from '../usage.error';

export interface EventRow {
  shard: number;
  seq: number;
  id: string;
  /** Hex. */
  hash: string;
  /** Text when it is valid UTF-8, which is far cheaper to fetch than a bytea. */
  canonical: string | Uint8Array;
}

export interface StoredHead {
  shard: number;
  /** Last position in kernel.events, 0 when there is none. */
  last: number;
  /** What kernel.shard_head says, null when it says nothing. */
  head: { seq: number; hash: string } | null;
}

interface RawRow {
  seq: string;
  id: string;
  hash: string;
  canonical: string | Buffer;
}

const COLUMNS = "seq, id::text AS id, encode(hash, 'hex') AS hash";
const LOG = 'kernel.events';
/**
 * The rows of a shard whose oldest partitions were detached: those are in the audit index alone, which has the same columns.
 * Whatever says so: every row is verified, and none may be missing.
 */
const logAndIndex = (detached: number): string => `(
  SELECT shard, seq, id, hash, canonical FROM kernel.events WHERE seq > ${detached}
  UNION ALL
  SELECT shard, seq, id, hash, canonical FROM kernel_index.events WHERE seq <= ${detached}) rows`;

/** Each shard with its last position, found by stepping along the primary key (shard, seq); one statement, one snapshot. */
const HEADS = `
  WITH RECURSIVE shards AS (
    (SELECT shard FROM kernel.events ORDER BY shard LIMIT 1)
    UNION ALL
    SELECT (SELECT e.shard FROM kernel.events e WHERE e.shard > s.shard ORDER BY e.shard LIMIT 1)
    FROM shards s WHERE s.shard IS NOT NULL
  )
  SELECT coalesce(s.shard, h.shard) AS shard, h.seq AS head_seq, encode(h.hash, 'hex') AS head_hash,
    (SELECT max(e.seq) FROM kernel.events e WHERE e.shard = coalesce(s.shard, h.shard)) AS last,
    (SELECT max(d.to_seq) FROM kernel.detachments d WHERE d.shard = coalesce(s.shard, h.shard)) AS detached
  FROM (SELECT shard FROM shards WHERE shard IS NOT NULL) s
  FULL JOIN (SELECT * FROM kernel.shard_head WHERE seq > 0) h ON h.shard = s.shard
  ORDER BY 1`;

/** Reads kernel.events over one connection; of what was detached from it, the audit index. */
export class EventRows {
  private client: Promise<Client> | undefined;
  /** What to select a shard's rows from. */
  private readonly sources = new Map<number, Promise<string>>();

  constructor(private readonly url: string) {}

  async heads(): Promise<StoredHead[]> {
    const { rows } = await this.query<{
      shard: number;
      head_seq: string | null;
      head_hash: string | null;
      last: string | null;
      detached: string | null;
    }>(HEADS, []);
    return rows.map(({ shard, head_seq, head_hash, last, detached }) => ({
      shard,
      last: Math.max(Number(last ?? 0), Number(detached ?? 0)),
      head: head_seq === null || head_hash === null ? null : { seq: Number(head_seq), hash: head_hash },
    }));
  }

  /** Canonical bytes of the events that may speak for the key registry. */
  async registry(): Promise<Uint8Array[]> {
    const { rows } = await this.query<{ canonical: Buffer }>(
      'SELECT canonical FROM kernel.events WHERE type = ANY($1)',
      [REGISTRY_TYPES],
    );
    return rows.map(({ canonical }) => canonical);
  }

  /** Position of the last of `count` rows from `first` on; the highest possible one when there are fewer. */
  async endOfPage(shard: number, first: number, count: number): Promise<number> {
    const { rows } = await this.query<{ seq: string }>(
      `SELECT seq FROM ${await this.source(shard)} WHERE shard = $1 AND seq >= $2 ORDER BY seq OFFSET $3 LIMIT 1`,
      [shard, first, count - 1],
    );
    return rows[0] === undefined ? Number.MAX_SAFE_INTEGER : Number(rows[0].seq);
  }

  async read(shard: number, first: number, last: number): Promise<EventRow[]> {
    const range = [shard, first, last];
    const from = `FROM ${await this.source(shard)} WHERE shard = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq`;
    let rows: RawRow[];
    try {
      ({ rows } = await this.query<RawRow>(
        `SELECT ${COLUMNS}, convert_from(canonical, 'UTF8') AS canonical ${from}`,
        range,
      ));
    } catch (error) {
      // Bytes that are not UTF-8 text are a fault to report, not a reason to stop.
      if (!isNoUtf8(error)) throw error;
      ({ rows } = await this.query<RawRow>(`SELECT ${COLUMNS}, canonical ${from}`, range));
    }
    return rows.map(({ seq, id, hash, canonical }) => ({ shard, seq: Number(seq), id, hash, canonical }));
  }

  private source(shard: number): Promise<string> {
    let source = this.sources.get(shard);
    if (source === undefined) {
      source = this.query<{ detached: string | null }>(
        'SELECT max(to_seq) AS detached FROM kernel.detachments WHERE shard = $1',
        [shard],
      ).then(({ rows }) => {
        const detached = Number(rows[0]?.detached ?? 0);
        return detached === 0 ? LOG : logAndIndex(detached);
      });
      this.sources.set(shard, source);
    }
    return source;
  }

  async close(): Promise<void> {
    // A connection that was never made has nothing to end.
    const client = await this.client?.catch(() => undefined);
    await client?.end();
  }

  private async query<Row extends object>(text: string, values: unknown[]): Promise<{ rows: Row[] }> {
    try {
      this.client ??= this.connect();
      return await (await this.client).query<Row & Record<string, unknown>>(text, values);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UsageError(`The database cannot be read: ${why}`, { cause });
    }
  }

  private async connect(): Promise<Client> {
    // Loaded only when a database is read: otherwise every worker thread would pay for it.
    const { Client } = await import('pg');
    const client = new Client({ connectionString: this.url, application_name: 'audit-verify' });
    // A lost connection rejects the query that is under way; without a listener it would end the process.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('SET default_transaction_read_only = on');
    return client;
  }
}

/** SQLSTATE character_not_in_repertoire */
function isNoUtf8(error: unknown): boolean {
  const cause: unknown = error instanceof UsageError ? error.cause : undefined;
  return cause instanceof Error && (cause as { code?: unknown }).code === '22021';
}
