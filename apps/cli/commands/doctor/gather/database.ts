import { openPool, type Pool } from '#platform/postgres';
import { schemaDifference } from '#platform/event-store';
import { type DatabaseFacts, type SchemaFacts } from '../facts';

/** Long enough for a machine that has much to do; a server that hangs takes it, too. */
const STATEMENT_TIMEOUT_MS = 6_000;
/** SQLSTATE insufficient_privilege. */
const NO_RIGHT = '42501';

async function withPool<T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = openPool({
    url,
    applicationName: 'kernel-doctor',
    connections: 1,
    timeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    // Whatever the role may do: the doctor changes nothing.
    await pool.query('SET default_transaction_read_only = on');
    return await work(pool);
  } finally {
    void pool.end();
  }
}

/** What the database says of itself and of the kernel in it; any role that may read does. */
export function databaseAt(url: string): Promise<DatabaseFacts> {
  return withPool(url, async (pool) => {
    const sent = Date.now();
    // Of other roles' sessions only their number can be seen by any role, and nothing of their transactions without pg_monitor.
    const [server] = await rows<{
      now: string;
      role: string;
      name: string;
      used: number;
      max: number;
      oldest: number;
      xids: number;
    }>(
      pool,
      `SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now, current_user AS role, current_database() AS name,
              (SELECT sum(numbackends) FROM pg_stat_database)::int AS used,
              current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS max,
              coalesce((SELECT max(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), 0)::float8 AS oldest,
              (SELECT max(age(datfrozenxid))::float8 / 2147483648 FROM pg_database) AS xids`,
    );
    const here = (sent + Date.now()) / 2;
    const [known] = await rows<{ present: boolean }>(
      pool,
      `SELECT to_regclass('kernel.chain') IS NOT NULL AS present`,
    );
    const refused: string[] = [];
    // A part that this role may not read is told, and the others are read.
    const readable = async <T extends object>(what: string, sql: string): Promise<T[]> => {
      try {
        return await rows<T>(pool, sql);
      } catch (error) {
        if ((error as { code?: string }).code !== NO_RIGHT) throw error;
        refused.push(what);
        return [];
      }
    };
    const facts = {
      refused,
      name: server?.name ?? '',
      role: server?.role ?? '',
      clockAheadMs: Number(server?.now ?? here) - here,
      connections: { used: server?.used ?? 0, max: server?.max ?? 0 },
      oldestTransactionSeconds: server?.oldest ?? 0,
      transactionIdsUsed: server?.xids ?? 0,
    };
    if (known?.present !== true) {
      return { ...facts, chain: null, mode: null, heads: [], behind: [], lastAudit: null };
    }
    const [chain] = await readable<{ origin: string; shards: number; at: number }>(
      'kernel.chain',
      `SELECT origin, shards, (extract(epoch FROM created_at) * 1000)::float8 AS at FROM kernel.chain`,
    );
    const [mode] = await readable<{ mode: string; restoring: boolean; reason: string }>(
      'kernel.mode',
      `SELECT mode, restoring, reason FROM kernel.mode`,
    );
    const heads = await readable<{ shard: number; seq: number; ts: number | null }>(
      'kernel.shard_head',
      `SELECT shard, seq::float8 AS seq, (extract(epoch FROM ts) * 1000)::float8 AS ts FROM kernel.shard_head ORDER BY shard`,
    );
    return {
      ...facts,
      chain: chain === undefined ? null : { origin: chain.origin, shards: chain.shards, createdAt: chain.at },
      mode: mode ?? null,
      heads,
      behind: await readable('how far the readers of the log are', BEHIND),
      lastAudit:
        (await readable<NonNullable<DatabaseFacts['lastAudit']>>('kernel.audit_runs', LAST_AUDIT))[0] ?? null,
    };
  });
}

/** The first event that a reader lacks has been there for how long. */
const BEHIND = `
  WITH readers AS (
    SELECT 'outbox-relay' AS reader, h.shard, coalesce(c.seq, 0) AS seq
    FROM kernel.shard_head h LEFT JOIN kernel.relay_cursors c ON c.shard = h.shard
    UNION ALL
    SELECT consumer, shard, seq FROM kernel.stream_positions
  )
  SELECT r.reader, r.shard, (h.seq - r.seq)::float8 AS events,
         coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT e.ts FROM kernel.events e WHERE e.shard = r.shard AND e.seq = r.seq + 1)), 0)::float8 AS "ageSeconds"
  FROM readers r JOIN kernel.shard_head h ON h.shard = r.shard
  WHERE h.seq > r.seq ORDER BY r.reader, r.shard LIMIT 500`;

const LAST_AUDIT = `
  SELECT id::text AS id, (extract(epoch FROM started_at) * 1000)::float8 AS "startedAt", outcome,
         coalesce(findings, 0)::float8 AS findings, message
  FROM kernel.audit_runs WHERE outcome <> 'refused' ORDER BY n DESC LIMIT 1`;

/** Which migrations the database has, against those of this version. */
export function schemaAt(url: string): Promise<SchemaFacts> {
  return withPool(url, async (pool) => {
    const [present] = await rows<{ present: boolean }>(
      pool,
      `SELECT to_regclass('kernel.migrations') IS NOT NULL AS present`,
    );
    const done =
      present?.present === true
        ? await rows<{ name: string }>(pool, 'SELECT name FROM kernel.migrations')
        : [];
    return schemaDifference(done.map(({ name }) => name));
  });
}

/** Samples for a support bundle: how the server works, without a statement's text. */
export function databaseSamples(url: string): Promise<Record<string, unknown>> {
  return withPool(url, async (pool) => {
    const samples: Record<string, unknown> = {};
    for (const [name, sql] of Object.entries(SAMPLES)) {
      samples[name] = await rows(pool, sql).catch((error: Error) => `not to be had: ${error.message}`);
    }
    return samples;
  });
}

const SAMPLES = {
  version: 'SELECT version()',
  settings: `SELECT name, setting, unit, source FROM pg_settings WHERE source NOT IN ('default', 'override')
    AND name NOT IN ('primary_conninfo', 'archive_command', 'restore_command', 'ssl_passphrase_command') ORDER BY name LIMIT 200`,
  database: 'SELECT * FROM pg_stat_database WHERE datname = current_database()',
  sizes: `SELECT n.nspname || '.' || c.relname AS relation, pg_total_relation_size(c.oid) AS bytes, c.reltuples::bigint AS rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('kernel', 'kernel_index') AND c.relkind IN ('r', 'p') ORDER BY 2 DESC LIMIT 100`,
  tables: `SELECT schemaname, relname, n_live_tup, n_dead_tup, seq_scan, idx_scan, last_autovacuum, last_autoanalyze
    FROM pg_stat_user_tables ORDER BY n_live_tup DESC LIMIT 100`,
  activity: `SELECT application_name, usename, state, wait_event_type, wait_event, count(*) AS sessions,
    max(clock_timestamp() - xact_start)::text AS oldest FROM pg_stat_activity
    WHERE backend_type = 'client backend' GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC LIMIT 100`,
  replication: `SELECT application_name, state, sync_state, write_lag::text, flush_lag::text, replay_lag::text FROM pg_stat_replication`,
  archiver: `SELECT archived_count, last_archived_time, failed_count, last_failed_time FROM pg_stat_archiver`,
  migrations: 'SELECT name, timestamp FROM kernel.migrations ORDER BY timestamp',
  heads: 'SELECT shard, seq, ts FROM kernel.shard_head ORDER BY shard LIMIT 1024',
  positions: 'SELECT consumer, shard, seq, updated_at FROM kernel.stream_positions ORDER BY 1, 2 LIMIT 500',
};

async function rows<T extends object>(pool: Pool, sql: string): Promise<T[]> {
  return (await pool.query<T>(sql)).rows;
}
