import { type QueryRunner } from 'typeorm';

export const INDEX_SCHEMA = 'kernel_index';

/**
 * The audit index: read by lists and filters, filled by apps/indexer and rebuilt by `./kernel replay --to index`. It
 * may be dropped, table or schema, and created again: it contains nothing that the event log does not have.
 *
 * Not part of the migration's own text, because the next `migrate()` recreates a dropped schema.
 */
export async function createAuditIndex(runner: QueryRunner): Promise<void> {
  // Not IF NOT EXISTS: that requires the right to create schemas even where a DBA has created this one.
  if (!(await exists(runner, INDEX_SCHEMA))) await runner.query(`CREATE SCHEMA ${INDEX_SCHEMA}`);
  for (const statement of STATEMENTS) await runner.query(statement);
}

/** Creates the index again where it was dropped. */
export async function restoreAuditIndex(runner: QueryRunner): Promise<void> {
  const [found] = (await runner.query(
    `SELECT to_regprocedure('${INDEX_SCHEMA}.rebuild_begin()') IS NOT NULL AS there`,
  )) as { there: boolean }[];
  if (found?.there !== true) await createAuditIndex(runner);
}

/** Brings an earlier audit index up to date: creates its missing indexes, now and at every rebuild. */
export async function completeAuditIndex(runner: QueryRunner): Promise<void> {
  const [found] = (await runner.query(
    `SELECT to_regclass('${INDEX_SCHEMA}.events') IS NOT NULL AS there`,
  )) as { there: boolean }[];
  // Dropped: `restoreAuditIndex` creates all of it.
  if (found?.there !== true) return;
  // What an interrupted rebuild left has the columns of its time, and cannot take the place of the table any more.
  await runner.query(`DROP TABLE IF EXISTS ${INDEX_SCHEMA}.events_next`);
  await addFilterColumns(runner);
  await runner.query(CREATE_EVENTS);
  await runner.query(COMPLETE_EVENTS);
  await runner.query(REBUILD_SWAP);
  await runner.query(`SELECT kernel_index.complete_events('events')`);
}

/** Adds the columns that filters of later versions need, and fills them from the events that are there. */
async function addFilterColumns(runner: QueryRunner): Promise<void> {
  const [found] = (await runner.query(
    `SELECT FROM pg_attribute WHERE attrelid = '${INDEX_SCHEMA}.events'::regclass AND attname = 'sha256' AND NOT attisdropped`,
  )) as object[];
  if (found !== undefined) return;
  await runner.query(
    `ALTER TABLE ${INDEX_SCHEMA}.events ADD COLUMN correlation_id uuid, ADD COLUMN sha256 bytea`,
  );
  // jsonb has no U+0000; neither member can hold one, so what is put in its place does not matter.
  await runner.query(
    `UPDATE ${INDEX_SCHEMA}.events e SET
       correlation_id = (replace(convert_from(e.canonical, 'UTF8'), '\\u0000', '\\ufffd')::jsonb ->> 'correlationId')::uuid,
       sha256 = CASE WHEN e.type = 'manifest.signed' AND e.payload ->> 'sha256' ~ '^[0-9a-f]{64}$'
                THEN decode(e.payload ->> 'sha256', 'hex') END`,
  );
}

async function exists(runner: QueryRunner, schema: string): Promise<boolean> {
  const [found] = (await runner.query(`SELECT to_regnamespace($1) IS NOT NULL AS there`, [schema])) as {
    there: boolean;
  }[];
  return found?.there === true;
}

/** See the migration of the event log. */
const SETTINGS = 'SET search_path = pg_catalog, pg_temp';
const READING = `${SETTINGS} SET enable_seqscan = off`;
/** Workers may rebuild the index without owning it. */
const AS_OWNER = `SECURITY DEFINER ${SETTINGS}`;

// Only the primary key: the later creation of the indexes checks all other uniqueness at once.
//
// No GIN index on the whole payload: no filter of the contract looks into it, and one would double the time of an insert.
// Such a filter needs the index (jsonb_path_ops, for @>) in complete_events, and a migration.
const CREATE_EVENTS = `CREATE OR REPLACE FUNCTION kernel_index.create_events(name text) RETURNS void LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     EXECUTE format('CREATE TABLE kernel_index.%I (
       id uuid NOT NULL,
       shard integer NOT NULL,
       seq bigint NOT NULL CHECK (seq >= 1),
       type text NOT NULL,
       stream text NOT NULL,
       stream_version bigint NOT NULL,
       actor_id text NOT NULL,
       ts timestamptz NOT NULL,
       signer_kid text NOT NULL,
       division text,
       hash bytea NOT NULL CHECK (octet_length(hash) = 32),
       payload jsonb NOT NULL,
       canonical bytea NOT NULL,
       correlation_id uuid,
       sha256 bytea,
       CONSTRAINT %I PRIMARY KEY (shard, seq)
     ) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)', name, name || '_pkey');
   END $$`;

// One index covers what payloads name, for finding effects from their causes: `because` names events, `upgradeId` an
// upgrade. It contains hashes (jsonb_path_ops), so any value of a caller fits, and only of events with one of the two.
const COMPLETE_EVENTS = `CREATE OR REPLACE FUNCTION kernel_index.complete_events(name text) RETURNS void LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON kernel_index.%I (id)', name || '_id_key', name);
     EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON kernel_index.%I (stream, stream_version)', name || '_stream_version_key', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (type, shard, seq)', name || '_type_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (actor_id, shard, seq)', name || '_actor_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (division, shard, seq) WHERE division IS NOT NULL', name || '_division_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (sha256, shard, seq) WHERE sha256 IS NOT NULL', name || '_sha256_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (signer_kid, shard, seq)', name || '_signer_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (correlation_id, shard, seq) WHERE correlation_id IS NOT NULL', name || '_correlation_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (split_part(stream, ''/'', 1), shard, seq)', name || '_aggregate_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I (shard, stream COLLATE "C", seq)', name || '_subject_idx', name);
     EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON kernel_index.%I
       USING gin ((payload -> ''because'') jsonb_path_ops, (payload -> ''upgradeId'') jsonb_path_ops)
       WHERE payload ?| ARRAY[''because'', ''upgradeId'']', name || '_named_idx', name);
     EXECUTE format('CREATE OR REPLACE TRIGGER events_refuse_gap AFTER INSERT ON kernel_index.%I
       REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION kernel_index.refuse_gap()', name);
     EXECUTE format('ANALYZE kernel_index.%I', name);
   END $$`;

// Table first, then positions: the order in which a running indexer locks them. A statement that waits for the table
// continues with the new one. A position keeps its cursor if it does not go back: the records after it are also after
// the new position, or skipped.
const REBUILD_SWAP = `CREATE OR REPLACE FUNCTION kernel_index.rebuild_swap(in_consumer text, cursors jsonb) RETURNS void LANGUAGE plpgsql ${AS_OWNER} AS $$
   BEGIN
     IF to_regclass('kernel_index.events') IS NOT NULL THEN
       LOCK TABLE kernel_index.events IN ACCESS EXCLUSIVE MODE;
     END IF;
     DELETE FROM kernel.stream_positions p WHERE p.consumer = in_consumer
       AND NOT EXISTS (SELECT FROM kernel_index.events_next e WHERE e.shard = p.shard);
     INSERT INTO kernel.stream_positions AS p (consumer, shard, seq, hash, cursor, event_ts)
     SELECT in_consumer, last.shard, last.seq, last.hash, cursors->>(last.shard::text), last.ts
     FROM kernel.shard_head h, LATERAL (
       SELECT e.shard, e.seq, e.hash, e.ts FROM kernel_index.events_next e WHERE e.shard = h.shard ORDER BY e.seq DESC LIMIT 1
     ) last
     ON CONFLICT (consumer, shard) DO UPDATE
       SET seq = excluded.seq, hash = excluded.hash, event_ts = excluded.event_ts, updated_at = clock_timestamp(),
           cursor = coalesce(excluded.cursor, CASE WHEN p.seq <= excluded.seq THEN p.cursor END);
     DROP TABLE IF EXISTS kernel_index.events;
     ALTER TABLE kernel_index.events_next RENAME TO events;
     ALTER INDEX kernel_index.events_next_pkey RENAME TO events_pkey;
     ALTER INDEX kernel_index.events_next_id_key RENAME TO events_id_key;
     ALTER INDEX kernel_index.events_next_stream_version_key RENAME TO events_stream_version_key;
     ALTER INDEX kernel_index.events_next_type_idx RENAME TO events_type_idx;
     ALTER INDEX kernel_index.events_next_actor_idx RENAME TO events_actor_idx;
     ALTER INDEX kernel_index.events_next_division_idx RENAME TO events_division_idx;
     ALTER INDEX kernel_index.events_next_named_idx RENAME TO events_named_idx;
     ALTER INDEX kernel_index.events_next_sha256_idx RENAME TO events_sha256_idx;
     ALTER INDEX kernel_index.events_next_signer_idx RENAME TO events_signer_idx;
     ALTER INDEX kernel_index.events_next_correlation_idx RENAME TO events_correlation_idx;
     ALTER INDEX kernel_index.events_next_aggregate_idx RENAME TO events_aggregate_idx;
     ALTER INDEX kernel_index.events_next_subject_idx RENAME TO events_subject_idx;
   END $$`;

const STATEMENTS = [
  CREATE_EVENTS,
  COMPLETE_EVENTS,
  // Whatever a position says: rows only continue a shard. Emptying the table stops the indexer, and does not leave an
  // index with a gap.
  `CREATE FUNCTION kernel_index.refuse_gap() RETURNS trigger LANGUAGE plpgsql ${READING} AS $$
   DECLARE
     part record;
     before boolean;
   BEGIN
     FOR part IN
       SELECT n.shard, min(n.seq) AS first, max(n.seq) AS last, count(*) AS rows FROM new_events n GROUP BY n.shard
     LOOP
       EXECUTE format('SELECT EXISTS (SELECT FROM kernel_index.%I e WHERE e.shard = $1 AND e.seq = $2)', TG_TABLE_NAME)
         INTO before USING part.shard, part.first - 1;
       IF part.last - part.first + 1 <> part.rows OR (part.first > 1 AND NOT before) THEN
         RAISE EXCEPTION 'the index of shard % lacks what comes before position %', part.shard, part.first
           USING ERRCODE = 'restrict_violation';
       END IF;
     END LOOP;
     RETURN NULL;
   END $$`,
  `SELECT kernel_index.create_events('events')`,
  `SELECT kernel_index.complete_events('events')`,

  // The same searches as in the event log: within a shard, and within a stream, time only rises, and nothing is missing.
  `CREATE FUNCTION kernel_index.first_seq_at(in_shard integer, at timestamptz) RETURNS bigint
   LANGUAGE plpgsql STABLE PARALLEL SAFE ${READING} AS $$
   DECLARE
     low bigint := 1;
     high bigint := coalesce((SELECT e.seq FROM kernel_index.events e WHERE e.shard = in_shard
                              ORDER BY e.seq DESC LIMIT 1), 0) + 1;
     middle bigint;
   BEGIN
     WHILE low < high LOOP
       middle := (low + high) / 2;
       IF (SELECT e.ts FROM kernel_index.events e WHERE e.shard = in_shard AND e.seq = middle) < at
       THEN low := middle + 1;
       ELSE high := middle;
       END IF;
     END LOOP;
     RETURN low;
   END $$`,
  `CREATE FUNCTION kernel_index.first_version_at(in_stream text, at timestamptz) RETURNS bigint
   LANGUAGE plpgsql STABLE PARALLEL SAFE ${READING} AS $$
   DECLARE
     low bigint := 1;
     high bigint := coalesce((SELECT e.stream_version FROM kernel_index.events e WHERE e.stream = in_stream
                              ORDER BY e.stream_version DESC LIMIT 1), 0) + 1;
     middle bigint;
   BEGIN
     WHILE low < high LOOP
       middle := (low + high) / 2;
       IF (SELECT e.ts FROM kernel_index.events e WHERE e.stream = in_stream AND e.stream_version = middle) < at
       THEN low := middle + 1;
       ELSE high := middle;
       END IF;
     END LOOP;
     RETURN low;
   END $$`,

  // A rebuild fills a table beside the active one (libs/platform/audit-stream/audit-index). An interrupted one is
  // continued.
  `CREATE FUNCTION kernel_index.rebuild_begin() RETURNS void LANGUAGE plpgsql ${AS_OWNER} AS $$
   BEGIN
     IF to_regclass('kernel_index.events_next') IS NULL THEN PERFORM kernel_index.create_events('events_next'); END IF;
   END $$`,
  `CREATE FUNCTION kernel_index.rebuild_discard() RETURNS void LANGUAGE plpgsql ${AS_OWNER} AS $$
   BEGIN
     DROP TABLE IF EXISTS kernel_index.events_next;
   END $$`,
  `CREATE FUNCTION kernel_index.rebuild_complete() RETURNS void LANGUAGE plpgsql ${AS_OWNER} AS $$
   BEGIN
     PERFORM kernel_index.complete_events('events_next');
   END $$`,
  REBUILD_SWAP,
  `REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kernel_index FROM PUBLIC`,
];
