import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { APPEND_STATE_FUNCTION } from './append-state.schema';

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

  // The fence moves by itself, never back, and only to an event: whoever may move the head could otherwise put it where no
  // change of the keys ever comes. The rest of the row only ever moves forward.
  `CREATE OR REPLACE FUNCTION kernel.refuse_head_rewind() RETURNS trigger LANGUAGE plpgsql
   ${SETTINGS} SET enable_seqscan = off AS $$
   BEGIN
     IF NEW.fence < OLD.fence THEN
       RAISE EXCEPTION 'the fence of shard % only rises (from % to %)', OLD.shard, OLD.fence, NEW.fence
         USING ERRCODE = 'restrict_violation';
     END IF;
     IF NEW.fence > OLD.fence AND NOT EXISTS
       (SELECT FROM kernel.events e WHERE e.shard = 0 AND e.seq = NEW.fence)
     THEN
       RAISE EXCEPTION 'the fence of shard % rises only to an event: there is none at 0:%', OLD.shard, NEW.fence
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
  // A change of the fence alone moves no head, and in an empty shard there is no event to name.
  `DROP TRIGGER shard_head_names_an_event ON kernel.shard_head`,
  `CREATE CONSTRAINT TRIGGER shard_head_names_an_event AFTER UPDATE OF seq, hash, ts ON kernel.shard_head
     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kernel.refuse_head_without_event()`,
  `ALTER TABLE kernel.shard_head ENABLE ALWAYS TRIGGER shard_head_names_an_event`,

  APPEND_STATE_FUNCTION,
  `REVOKE ALL ON FUNCTION kernel.append_state FROM PUBLIC`,
];
