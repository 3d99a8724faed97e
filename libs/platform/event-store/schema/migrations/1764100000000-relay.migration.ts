import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Leaders of jobs, and how far the outbox relay has published each shard. */
export class Relay1764100000000 implements MigrationInterface {
  readonly name = 'Relay1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...LEADERSHIP, ...CURSORS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.relay_cursors, kernel.leadership');
    await runner.query('DROP FUNCTION kernel.refuse_leadership_rewind, kernel.refuse_cursor_rewind');
  }
}

/** See the migration of the event log: a session's own search path must not change a comparison. */
const SETTINGS = 'SET search_path = pg_catalog, pg_temp';

const LEADERSHIP = [
  // One row per job that runs once (libs/platform/postgres/leadership). The epoch counts elections and is the fencing token; the row
  // outlives its holder, so that no epoch is ever issued twice.
  `CREATE TABLE kernel.leadership (
     name text PRIMARY KEY CHECK (name <> ''),
     epoch bigint NOT NULL CHECK (epoch >= 1),
     holder text NOT NULL,
     backend_pid integer NOT NULL,
     acquired_at timestamptz NOT NULL,
     expires_at timestamptz NOT NULL
   ) WITH (fillfactor = 50)`,
  `CREATE FUNCTION kernel.refuse_leadership_rewind() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     IF NEW.name <> OLD.name OR NEW.epoch < OLD.epoch THEN
       RAISE EXCEPTION 'the epoch of % never falls (from % to %)', OLD.name, OLD.epoch, NEW.epoch
         USING ERRCODE = 'restrict_violation';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER leadership_refuse_rewind BEFORE UPDATE ON kernel.leadership
     FOR EACH ROW EXECUTE FUNCTION kernel.refuse_leadership_rewind()`,
];

const CURSORS = [
  // The last event of a shard that the stream is known to have. Without a row nothing was published. The epoch is that
  // of the relay that may move the row: a statement of an older relay finds nothing to update.
  `CREATE TABLE kernel.relay_cursors (
     shard integer PRIMARY KEY,
     seq bigint NOT NULL CHECK (seq >= 0),
     hash bytea NOT NULL CHECK (octet_length(hash) = 32),
     epoch bigint NOT NULL CHECK (epoch >= 1),
     event_ts timestamptz,
     updated_at timestamptz NOT NULL
   ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0)`,
  `CREATE FUNCTION kernel.refuse_cursor_rewind() RETURNS trigger LANGUAGE plpgsql ${SETTINGS} AS $$
   BEGIN
     IF NEW.shard <> OLD.shard OR NEW.seq < OLD.seq OR NEW.epoch < OLD.epoch THEN
       RAISE EXCEPTION 'the relay''s cursor of shard % only moves forward (from % in epoch % to % in epoch %)',
         OLD.shard, OLD.seq, OLD.epoch, NEW.seq, NEW.epoch
         USING ERRCODE = 'restrict_violation';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER relay_cursors_refuse_rewind BEFORE UPDATE ON kernel.relay_cursors
     FOR EACH ROW EXECUTE FUNCTION kernel.refuse_cursor_rewind()`,
  `REVOKE ALL ON FUNCTION kernel.refuse_leadership_rewind, kernel.refuse_cursor_rewind FROM PUBLIC`,
];
