import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Position of each consumer of the audit stream in each shard. A row moves in the transaction of the consumer's
 * effect, by a statement that compares the position it moves from: two processes of one worker cannot both move it.
 */
export class StreamPositions1764200000000 implements MigrationInterface {
  readonly name = 'StreamPositions1764200000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.stream_positions');
    await runner.query('DROP FUNCTION kernel.notify_position');
  }
}

const STATEMENTS = [
  // Without a row the consumer has nothing yet. A position may go back: that of an index rebuilt from an older archive
  // does.
  `CREATE TABLE kernel.stream_positions (
     consumer text NOT NULL CHECK (consumer ~ '^[a-z][a-z-]{0,62}$'),
     shard integer NOT NULL CHECK (shard >= 0),
     seq bigint NOT NULL CHECK (seq >= 0),
     hash bytea NOT NULL CHECK (octet_length(hash) = 32),
     cursor text,
     event_ts timestamptz,
     updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT stream_positions_pkey PRIMARY KEY (consumer, shard)
   ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0)`,
  // A wake-up for requests that wait for a position (Kernel-Min-Position, Kernel-Await); they poll as well.
  `CREATE FUNCTION kernel.notify_position() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
   BEGIN
     PERFORM pg_notify('kernel_positions', NEW.consumer || ':' || NEW.shard);
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER stream_positions_notify AFTER INSERT OR UPDATE ON kernel.stream_positions
     FOR EACH ROW EXECUTE FUNCTION kernel.notify_position()`,
  `REVOKE ALL ON FUNCTION kernel.notify_position FROM PUBLIC`,
];
