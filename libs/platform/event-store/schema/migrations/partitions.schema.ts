/**
 * Statements of the event log's migration about partitions (docs/adr/0162-the-event-log-has-partitions.md): what is unique
 * over all of them, how they are made, and how events are read whose partition was detached.
 */

/** See the migration of the event log. */
const SETTINGS =
  'SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan';

/**
 * Events in one partition. Unless `migrate()` is told otherwise some 10 GB with its indexes: few enough partitions that a
 * plan over all of them costs little, and small enough to be detached, vacuumed and copied one at a time. A group must fit into one: those of
 * less than the 1,000 events that a request may have are for tests.
 */
export const PARTITION_EVENTS = { least: 10, most: 1_000_000_000, unlessTold: 5_000_000 };

/**
 * A unique index of a partitioned table has the partition's bounds in it, so it cannot make an id or a stream's version
 * unique. These rows do, outlive the partitions, and say where an event is.
 */
export const EVENT_KEYS = [
  `CREATE TABLE kernel.event_keys (
     id uuid NOT NULL,
     seq bigint NOT NULL,
     stream_version bigint NOT NULL CHECK (stream_version >= 1),
     shard integer NOT NULL,
     stream text NOT NULL,
     CONSTRAINT event_keys_pkey PRIMARY KEY (id),
     CONSTRAINT event_keys_stream_version_key UNIQUE (stream, stream_version)
   ) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)`,
];

/** As the owner: no role may write keys, and no event is without. */
export const KEYS_KEPT = [
  `CREATE FUNCTION kernel.keep_keys() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER ${SETTINGS} AS $$
   BEGIN
     INSERT INTO kernel.event_keys (id, seq, stream_version, shard, stream)
     SELECT n.id, n.seq, n.stream_version, n.shard, n.stream FROM new_events n;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER events_keep_keys AFTER INSERT ON kernel.events
     REFERENCING NEW TABLE AS new_events
     FOR EACH STATEMENT EXECUTE FUNCTION kernel.keep_keys()`,
  `ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_keep_keys`,
];

export const PARTITIONING = [
  `CREATE TABLE kernel.partitioning (
     singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
     events bigint NOT NULL CHECK (events BETWEEN ${PARTITION_EVENTS.least} AND ${PARTITION_EVENTS.most})
   )`,
  `INSERT INTO kernel.partitioning (events) VALUES (${PARTITION_EVENTS.unlessTold})`,

  // What was detached, written by the owner alone. A shard's ranges begin at 1 and follow each other without a gap.
  `CREATE TABLE kernel.detachments (
     shard integer NOT NULL,
     to_seq bigint NOT NULL,
     from_seq bigint NOT NULL CHECK (from_seq BETWEEN 1 AND to_seq),
     event_id uuid NOT NULL UNIQUE,
     summary jsonb NOT NULL,
     reason text NOT NULL,
     actor text NOT NULL,
     detached_at timestamptz NOT NULL,
     PRIMARY KEY (shard, to_seq)
   )`,

  // The catalogue itself is the list: one of our own could say something else. `to_seq` belongs to the next one.
  `CREATE VIEW kernel.partitions AS
     SELECT c.relname::text AS name, b.bounds[1]::integer AS shard, b.bounds[2]::bigint AS from_seq, b.bounds[3]::bigint AS to_seq
     FROM pg_catalog.pg_inherits i
     JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid,
     LATERAL (SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid),
       '^FOR VALUES FROM \\((\\d+), ''(\\d+)''\\) TO \\(\\d+, ''(\\d+)''\\)$') AS bounds) b
     WHERE i.inhparent = 'kernel.events'::regclass`,

  // Statement triggers are those of the table that the statement names, so a partition needs its own: rows come to it
  // through kernel.events alone, where they are checked.
  `CREATE FUNCTION kernel.guard_partition(in_name text) RETURNS void LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     EXECUTE format('CREATE TRIGGER partition_refuse_change BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON kernel.%I
       FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_direct_change()', in_name);
     EXECUTE format('ALTER TABLE kernel.%I ENABLE ALWAYS TRIGGER partition_refuse_change', in_name);
   END $$`,
  `CREATE FUNCTION kernel.refuse_direct_change() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     RAISE EXCEPTION '% on the partition %.% is refused: rows come through kernel.events, and stay',
       TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
   END $$`,
  // Beside the table first, and then attached: that blocks neither appends nor reads (CREATE TABLE ... PARTITION OF does).
  `CREATE FUNCTION kernel.create_partition(in_name text) RETURNS void LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     EXECUTE format('CREATE TABLE kernel.%I (LIKE kernel.events INCLUDING CONSTRAINTS INCLUDING DEFAULTS)
       WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)', in_name);
   END $$`,
  `CREATE FUNCTION kernel.attach_partition(in_name text, in_shard integer, from_seq bigint, to_seq bigint) RETURNS void
   LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     PERFORM kernel.guard_partition(in_name);
     EXECUTE format('ALTER TABLE kernel.events ATTACH PARTITION kernel.%I FOR VALUES FROM (%s, %s) TO (%s, %s)',
       in_name, in_shard, from_seq, in_shard, to_seq);
   END $$`,

  // Makes what is due, and only that: nothing of it is the caller's to choose. The kernel's role may call it, and has no
  // right to create anything itself. Due is a partition when less than half of one is left beyond the head.
  `CREATE FUNCTION kernel.make_partitions() RETURNS integer LANGUAGE plpgsql
   SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
   DECLARE
     size bigint := (SELECT p.events FROM kernel.partitioning p);
     made integer := 0;
     one record;
     upper bigint;
     name text;
   BEGIN
     IF NOT EXISTS (SELECT FROM kernel.partition_room() r WHERE r.room < size / 2) THEN RETURN 0; END IF;
     PERFORM pg_advisory_xact_lock(hashtextextended('illuvrse-kernel/partitions', 0));
     FOR one IN SELECT h.shard, h.seq FROM kernel.shard_head h ORDER BY h.shard LOOP
       upper := coalesce((SELECT max(p.to_seq) FROM kernel.partitions p WHERE p.shard = one.shard), 1);
       WHILE upper - 1 - one.seq < size / 2 LOOP
         name := format('events_%s_%s', one.shard, upper);
         PERFORM kernel.create_partition(name);
         PERFORM kernel.attach_partition(name, one.shard, upper, upper + size);
         upper := upper + size;
         made := made + 1;
       END LOOP;
     END LOOP;
     RETURN made;
   END $$`,
  // Events that each shard still has room for.
  `CREATE FUNCTION kernel.partition_room() RETURNS TABLE (shard integer, room bigint) LANGUAGE sql STABLE
   SET search_path = pg_catalog, pg_temp AS $$
     SELECT h.shard, coalesce(max(p.to_seq), 1) - 1 - h.seq
     FROM kernel.shard_head h LEFT JOIN kernel.partitions p ON p.shard = h.shard GROUP BY h.shard, h.seq $$`,
];

/**
 * Reads that go on when a partition was detached: what the log has no longer, the audit index has. They say so when it has
 * not, and never take a gap for an end.
 */
export const DETACHED_READS = [
  // The first position of a shard that was never detached.
  `CREATE FUNCTION kernel.attached_from(in_shard integer) RETURNS bigint LANGUAGE sql STABLE ${SETTINGS} AS $$
     SELECT coalesce(max(d.to_seq), 0) + 1 FROM kernel.detachments d WHERE d.shard = in_shard $$`,
  // The same, and the index has everything before it: rows of the index only continue a shard, so the last one stands for all.
  `CREATE FUNCTION kernel.indexed_until(in_shard integer) RETURNS bigint LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     until bigint := kernel.attached_from(in_shard);
     there boolean := true;
   BEGIN
     IF until > 1 THEN
       IF to_regclass('kernel_index.events') IS NULL THEN
         there := false;
       ELSE
         EXECUTE 'SELECT EXISTS (SELECT FROM kernel_index.events i WHERE i.shard = $1 AND i.seq = $2)'
           INTO there USING in_shard, until - 1;
       END IF;
     END IF;
     IF NOT there THEN
       RAISE EXCEPTION 'events of shard % before position % are in the archive and in the index alone, and the index lacks them: rebuild it (./kernel replay --from archive --to index)',
         in_shard, until USING ERRCODE = 'object_not_in_prerequisite_state';
     END IF;
     RETURN until;
   END $$`,

  // One event by its place; no row when there is none.
  `CREATE FUNCTION kernel.event_at(in_shard integer, in_seq bigint)
   RETURNS TABLE (type text, actor_id text, division text, ts timestamptz, canonical bytea)
   LANGUAGE plpgsql STABLE ROWS 1 ${SETTINGS} AS $$
   BEGIN
     RETURN QUERY SELECT e.type, e.actor_id, e.division, e.ts, e.canonical FROM kernel.events e
       WHERE e.shard = in_shard AND e.seq = in_seq;
     IF NOT FOUND AND in_seq < kernel.attached_from(in_shard) THEN
       PERFORM kernel.indexed_until(in_shard);
       RETURN QUERY EXECUTE 'SELECT i.type, i.actor_id, i.division, i.ts, i.canonical FROM kernel_index.events i
         WHERE i.shard = $1 AND i.seq = $2' USING in_shard, in_seq;
     END IF;
   END $$`,
  `CREATE FUNCTION kernel.event_by_id(in_id uuid) RETURNS bytea LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     place record;
     found bytea;
   BEGIN
     SELECT k.shard, k.seq INTO place FROM kernel.event_keys k WHERE k.id = in_id;
     IF place.seq IS NULL THEN RETURN NULL; END IF;
     found := (SELECT e.canonical FROM kernel.events e WHERE e.shard = place.shard AND e.seq = place.seq);
     RETURN coalesce(found, (SELECT a.canonical FROM kernel.event_at(place.shard, place.seq) a));
   END $$`,
  `CREATE FUNCTION kernel.stream_events(in_stream text, from_version bigint) RETURNS SETOF bytea
   LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     place record;
     found bytea;
   BEGIN
     FOR place IN SELECT k.shard, k.seq FROM kernel.event_keys k
       WHERE k.stream = in_stream AND k.stream_version >= from_version ORDER BY k.stream_version
     LOOP
       found := (SELECT e.canonical FROM kernel.events e WHERE e.shard = place.shard AND e.seq = place.seq);
       IF found IS NULL THEN
         found := (SELECT a.canonical FROM kernel.event_at(place.shard, place.seq) a);
       END IF;
       IF found IS NOT NULL THEN RETURN NEXT found; END IF;
     END LOOP;
   END $$`,

  // Events after a position, in the order of the shard; of one division only, if one is named.
  `CREATE FUNCTION kernel.shard_events(in_shard integer, after_seq bigint, most integer, in_division text)
   RETURNS TABLE (seq bigint, canonical bytea) LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     until bigint := kernel.attached_from(in_shard);
     after_attached bigint := greatest(after_seq, until - 1);
     given integer := 0;
   BEGIN
     IF after_seq + 1 < until THEN
       PERFORM kernel.indexed_until(in_shard);
       RETURN QUERY EXECUTE format('SELECT i.seq, i.canonical FROM kernel_index.events i
         WHERE i.shard = $1 AND i.seq > $2 AND i.seq < $3 %s ORDER BY i.seq LIMIT $5',
         CASE WHEN in_division IS NULL THEN '' ELSE 'AND i.division = $4' END)
         USING in_shard, after_seq, until, in_division, most;
       GET DIAGNOSTICS given = ROW_COUNT;
     END IF;
     IF in_division IS NULL THEN
       -- Positions have no gap, so the end is known: only partitions up to there are opened.
       RETURN QUERY SELECT e.seq, e.canonical FROM kernel.events e
         WHERE e.shard = in_shard AND e.seq > after_attached AND e.seq <= after_attached + most - given
         ORDER BY e.seq;
       -- Unless rows were removed, of which the reader must see that they are missing.
       IF NOT FOUND AND given < most
         AND (SELECT h.seq FROM kernel.shard_head h WHERE h.shard = in_shard) > after_attached THEN
         RETURN QUERY SELECT e.seq, e.canonical FROM kernel.events e
           WHERE e.shard = in_shard AND e.seq > after_attached ORDER BY e.seq LIMIT most - given;
       END IF;
     ELSE
       RETURN QUERY SELECT e.seq, e.canonical FROM kernel.events e
         WHERE e.shard = in_shard AND e.seq > after_attached AND e.division = in_division
         ORDER BY e.seq LIMIT most - given;
     END IF;
   END $$`,
  // Positions of the first and the last event that a key signed, from one on, and how many it did.
  `CREATE FUNCTION kernel.signed_range(in_shard integer, from_seq bigint, kid text, OUT first bigint, OUT last bigint, OUT count bigint)
   LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     until bigint := kernel.attached_from(in_shard);
     before record;
   BEGIN
     SELECT min(e.seq), max(e.seq), count(*) INTO first, last, count FROM kernel.events e
       WHERE e.shard = in_shard AND e.seq >= greatest(from_seq, until) AND e.signer_kid = kid;
     IF from_seq < until THEN
       PERFORM kernel.indexed_until(in_shard);
       EXECUTE 'SELECT min(i.seq) AS first, max(i.seq) AS last, count(*) AS count FROM kernel_index.events i
         WHERE i.shard = $1 AND i.seq >= $2 AND i.seq < $3 AND i.signer_kid = $4'
         INTO before USING in_shard, from_seq, until, kid;
       first := coalesce(before.first, first);
       last := coalesce(last, before.last);
       count := count + before.count;
     END IF;
   END $$`,

  // Binary search over positions: ts never falls as seq rises. Some 20 probes for a million events.
  `CREATE FUNCTION kernel.first_seq_at(in_shard integer, at timestamptz) RETURNS bigint
   LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     until bigint := kernel.attached_from(in_shard);
     low bigint := until;
     high bigint := coalesce((SELECT h.seq FROM kernel.shard_head h WHERE h.shard = in_shard), 0) + 1;
     middle bigint;
   BEGIN
     WHILE low < high LOOP
       middle := (low + high) / 2;
       IF (SELECT e.ts FROM kernel.events e WHERE e.shard = in_shard AND e.seq = middle) < at
       THEN low := middle + 1;
       ELSE high := middle;
       END IF;
     END LOOP;
     -- No earlier event than the first that is attached: it may be one that is not.
     IF low = until AND until > 1 THEN
       PERFORM kernel.indexed_until(in_shard);
       RETURN least(low, kernel_index.first_seq_at(in_shard, at));
     END IF;
     RETURN low;
   END $$`,
  `CREATE FUNCTION kernel.first_version_at(in_stream text, at timestamptz) RETURNS bigint
   LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
   DECLARE
     low bigint := 1;
     high bigint := coalesce((SELECT k.stream_version FROM kernel.event_keys k WHERE k.stream = in_stream
                              ORDER BY k.stream_version DESC LIMIT 1), 0) + 1;
     middle bigint;
   BEGIN
     WHILE low < high LOOP
       middle := (low + high) / 2;
       IF (SELECT a.ts FROM kernel.event_keys k, kernel.event_at(k.shard, k.seq) a
           WHERE k.stream = in_stream AND k.stream_version = middle) < at
       THEN low := middle + 1;
       ELSE high := middle;
       END IF;
     END LOOP;
     RETURN low;
   END $$`,
];
