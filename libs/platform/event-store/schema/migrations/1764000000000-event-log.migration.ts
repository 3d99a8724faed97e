import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { DETACHED_READS, EVENT_KEYS, KEYS_KEPT, PARTITIONING } from './partitions.schema';

/**
 * The event log: append-only rows in partitions, the keys of all events, a head per shard, stored answers for idempotency
 * keys.
 *
 * The guards are triggers `ENABLE ALWAYS`, so that neither the owner's own session nor one in replica mode bypasses
 * them, and they keep the chain's shape whatever code runs above: rows only ever continue a shard, the head only moves
 * forward, and it always names the last row.
 */
export class EventLog1764000000000 implements MigrationInterface {
  readonly name = 'EventLog1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** There is no way back from the log of what happened. */
  async down(): Promise<void> {
    throw new Error('The event log cannot be migrated away: drop the database if that is what you mean.');
  }
}

/**
 * A session that puts its own operators first must not change what a function compares. A plan made while a table is
 * nearly empty is kept until the next ANALYZE: it must not be a sequential scan, whatever the table's size by then. And a
 * plan is made once and looks for its partitions when it runs: planning anew costs more than such a read.
 */
const SETTINGS =
  'SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan';

const TABLES = [
  `CREATE TABLE kernel.chain (
     singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
     origin text NOT NULL,
     shards integer NOT NULL CHECK (shards BETWEEN 1 AND 1024),
     created_at timestamptz NOT NULL DEFAULT now()
   )`,

  `CREATE TABLE kernel.events (
     shard integer NOT NULL,
     seq bigint NOT NULL CHECK (seq >= 1),
     id uuid NOT NULL,
     ts timestamptz NOT NULL,
     type text NOT NULL,
     stream text NOT NULL,
     stream_version bigint NOT NULL CHECK (stream_version >= 1),
     actor_id text NOT NULL,
     division text,
     signer_kid text NOT NULL,
     hash bytea NOT NULL CHECK (octet_length(hash) = 32),
     canonical bytea NOT NULL CHECK (octet_length(canonical) <= 65535),
     CONSTRAINT events_pkey PRIMARY KEY (shard, seq)
   ) PARTITION BY RANGE (shard, seq)`,
  // Audit queries page through one value in seq order. Time needs no index: it only ever rises within a shard, so
  // kernel.first_seq_at finds its place in the primary key.
  `CREATE INDEX events_type_idx ON kernel.events (type, shard, seq)`,
  `CREATE INDEX events_actor_idx ON kernel.events (actor_id, shard, seq)`,
  `CREATE INDEX events_division_idx ON kernel.events (division, shard, seq) WHERE division IS NOT NULL`,
  ...EVENT_KEYS,

  // One row per shard, updated with every group: free room on its page keeps those updates off the index (HOT).
  `CREATE TABLE kernel.shard_head (
     shard integer PRIMARY KEY,
     seq bigint NOT NULL CHECK (seq >= 0),
     hash bytea NOT NULL CHECK (octet_length(hash) = 32),
     ts timestamptz
   ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0)`,

  `CREATE TABLE kernel.idempotency (
     caller text NOT NULL,
     key text NOT NULL,
     request_hash text NOT NULL,
     status integer NOT NULL,
     body bytea NOT NULL,
     created_at timestamptz NOT NULL,
     CONSTRAINT idempotency_pkey PRIMARY KEY (caller, key)
   )`,
  `CREATE INDEX idempotency_created_idx ON kernel.idempotency (created_at)`,
];

const GUARDS = [
  `CREATE FUNCTION kernel.refuse_change() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     RAISE EXCEPTION '% on %.% is refused: this table only ever grows', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
       USING ERRCODE = 'restrict_violation';
   END $$`,
  ...['events', 'event_keys', 'chain'].flatMap((table) => [
    `CREATE TRIGGER ${table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON kernel.${table}
       FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_change()`,
    `ALTER TABLE kernel.${table} ENABLE ALWAYS TRIGGER ${table}_refuse_change`,
  ]),
  `CREATE TRIGGER shard_head_refuse_change BEFORE DELETE OR TRUNCATE ON kernel.shard_head
     FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_change()`,
  `ALTER TABLE kernel.shard_head ENABLE ALWAYS TRIGGER shard_head_refuse_change`,

  ...KEYS_KEPT,

  // Once per statement, over all its rows: contiguous, directly after the existing ones, ending where the head says.
  `CREATE FUNCTION kernel.refuse_discontinuity() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   DECLARE
     part record;
   BEGIN
     FOR part IN
       SELECT n.shard, min(n.seq) AS first, max(n.seq) AS last, count(*) AS rows
       FROM new_events n GROUP BY n.shard
     LOOP
       IF part.last - part.first + 1 <> part.rows
         OR (part.first > 1 AND NOT EXISTS
              (SELECT FROM kernel.events e WHERE e.shard = part.shard AND e.seq = part.first - 1))
         OR NOT EXISTS
              (SELECT FROM kernel.shard_head h WHERE h.shard = part.shard AND h.seq = part.last)
       THEN
         RAISE EXCEPTION 'events %..% do not continue shard % up to its head', part.first, part.last, part.shard
           USING ERRCODE = 'restrict_violation';
       END IF;
     END LOOP;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER events_refuse_discontinuity AFTER INSERT ON kernel.events
     REFERENCING NEW TABLE AS new_events
     FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_discontinuity()`,
  `ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_refuse_discontinuity`,

  `CREATE FUNCTION kernel.refuse_head_rewind() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     IF NEW.shard <> OLD.shard OR NEW.seq <= OLD.seq OR NEW.ts IS NULL OR NEW.ts < OLD.ts THEN
       RAISE EXCEPTION 'the head of shard % only moves forward (from % to %)', OLD.shard, OLD.seq, NEW.seq
         USING ERRCODE = 'restrict_violation';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER shard_head_refuse_rewind BEFORE UPDATE ON kernel.shard_head
     FOR EACH ROW EXECUTE FUNCTION kernel.refuse_head_rewind()`,
  `ALTER TABLE kernel.shard_head ENABLE ALWAYS TRIGGER shard_head_refuse_rewind`,

  // At commit, when the rows exist whichever statement came first.
  `CREATE FUNCTION kernel.refuse_head_without_event() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     IF NOT EXISTS
       (SELECT FROM kernel.events e WHERE e.shard = NEW.shard AND e.seq = NEW.seq AND e.hash = NEW.hash AND e.ts = NEW.ts)
     THEN
       RAISE EXCEPTION 'the head of shard % says % but no such event is there', NEW.shard, NEW.seq
         USING ERRCODE = 'restrict_violation';
     END IF;
     RETURN NULL;
   END $$`,
  `CREATE CONSTRAINT TRIGGER shard_head_names_an_event AFTER UPDATE ON kernel.shard_head
     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kernel.refuse_head_without_event()`,
  `ALTER TABLE kernel.shard_head ENABLE ALWAYS TRIGGER shard_head_names_an_event`,
];

const FUNCTIONS = [
  // Reads made once or more per request, as functions so that they can be prepared: see SETTINGS.
  `CREATE FUNCTION kernel.stored_answer(in_caller text, in_key text)
   RETURNS TABLE (request_hash text, status integer, body bytea) LANGUAGE sql STABLE ${SETTINGS} AS $$
     SELECT i.request_hash, i.status, i.body FROM kernel.idempotency i WHERE i.caller = in_caller AND i.key = in_key $$`,
];

const REVOKED = 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kernel FROM PUBLIC';

const STATEMENTS = [...TABLES, ...GUARDS, ...FUNCTIONS, ...PARTITIONING, ...DETACHED_READS, REVOKED];
