import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * A fence in each head row, raised by every change of the keys (docs/adr/0141-keys-change-under-the-locks-of-all-heads.md).
 * It takes the place of the table of ended keys, which a row that nobody signed could fill: which key has ended is what
 * the kernel folds from verified events.
 */
export class KeyFence1764900100000 implements MigrationInterface {
  readonly name = 'KeyFence1764900100000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** The process that signs next would no longer know that the keys have changed. */
  async down(): Promise<void> {
    throw new Error('The fence of the keys cannot be migrated away.');
  }
}

const SETTINGS = 'SET search_path = pg_catalog, pg_temp';

const STATEMENTS = [
  `ALTER TABLE kernel.shard_head ADD COLUMN fence bigint NOT NULL DEFAULT 0 CHECK (fence >= 0)`,

  // Only announces: nothing is decided by what a row says of itself.
  `CREATE OR REPLACE FUNCTION kernel.note_signer() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     PERFORM pg_notify('kernel_signers', NEW.type);
     RETURN NULL;
   END $$`,
  `DROP TABLE kernel.ended_signers`,

  // The fence moves by itself, and never back; the rest of the row only ever forward.
  `CREATE OR REPLACE FUNCTION kernel.refuse_head_rewind() RETURNS trigger LANGUAGE plpgsql
   ${SETTINGS} SET enable_seqscan = off AS $$
   BEGIN
     IF NEW.fence < OLD.fence THEN
       RAISE EXCEPTION 'the fence of shard % only rises (from % to %)', OLD.shard, OLD.fence, NEW.fence
         USING ERRCODE = 'restrict_violation';
     END IF;
     IF (NEW.shard, NEW.seq, NEW.hash) = (OLD.shard, OLD.seq, OLD.hash) AND NEW.ts IS NOT DISTINCT FROM OLD.ts
       AND NEW.fence > OLD.fence THEN
       RETURN NEW;
     END IF;
     IF NEW.shard <> OLD.shard OR NEW.seq <= OLD.seq OR NEW.ts IS NULL OR NEW.ts < OLD.ts THEN
       RAISE EXCEPTION 'the head of shard % only moves forward (from % to %)', OLD.shard, OLD.seq, NEW.seq
         USING ERRCODE = 'restrict_violation';
     END IF;
     RETURN NEW;
   END $$`,
  // A change of the fence alone needs no event, in an empty shard there is none.
  `DROP TRIGGER shard_head_names_an_event ON kernel.shard_head`,
  `CREATE CONSTRAINT TRIGGER shard_head_names_an_event AFTER UPDATE OF seq, hash, ts ON kernel.shard_head
     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kernel.refuse_head_without_event()`,
  `ALTER TABLE kernel.shard_head ENABLE ALWAYS TRIGGER shard_head_names_an_event`,

  // One more column. Code for the earlier schema reads the others by name.
  `DROP FUNCTION kernel.append_state(integer, text[], text[], text[], uuid[])`,
  `CREATE FUNCTION kernel.append_state(
     in_shard integer, streams text[], callers text[], keys text[], ids uuid[],
     OUT head_seq bigint, OUT head_hash text, OUT head_ms bigint, OUT versions text, OUT claims json, OUT existing text,
     OUT head_kid text, OUT head_fence bigint
   ) LANGUAGE plpgsql STABLE ${SETTINGS} SET enable_seqscan = off AS $$
   BEGIN
     SELECT h.seq, encode(h.hash, 'hex'), extract(epoch FROM h.ts) * 1000, h.fence
       INTO head_seq, head_hash, head_ms, head_fence
       FROM kernel.shard_head h WHERE h.shard = in_shard;
     head_kid := (SELECT e.signer_kid FROM kernel.events e WHERE e.shard = in_shard AND e.seq = head_seq);
     versions := (
       SELECT string_agg(coalesce(v.version, 0)::text, ',' ORDER BY s.n)
       FROM unnest(streams) WITH ORDINALITY AS s(name, n)
       LEFT JOIN LATERAL (SELECT e.stream_version AS version FROM kernel.events e WHERE e.stream = s.name
                          ORDER BY e.stream_version DESC LIMIT 1) v ON true);
     IF cardinality(callers) > 0 THEN
       claims := (
         SELECT json_agg(json_build_array(k.n, i.request_hash))
         FROM unnest(callers, keys) WITH ORDINALITY AS k(caller, key, n)
         JOIN LATERAL (SELECT a.request_hash FROM kernel.idempotency a
                       WHERE a.caller = k.caller AND a.key = k.key LIMIT 1) i ON true);
     END IF;
     IF cardinality(ids) > 0 THEN
       existing := (
         SELECT string_agg(f.id::text, ',')
         FROM unnest(ids) AS g(id)
         JOIN LATERAL (SELECT e.id FROM kernel.events e WHERE e.id = g.id LIMIT 1) f ON true);
     END IF;
   END $$`,
  `REVOKE ALL ON FUNCTION kernel.append_state FROM PUBLIC`,
];
