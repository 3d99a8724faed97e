import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Permission to write: one mode for all kernel processes, and every change of it until it is in the chain. */
export class Modes1764400000000 implements MigrationInterface {
  readonly name = 'Modes1764400000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER events_refuse_while_restoring ON kernel.events');
    await runner.query('DROP FUNCTION kernel.refuse_while_restoring');
    await runner.query('DROP TABLE kernel.mode_changes, kernel.mode');
  }
}

const STATEMENTS = [
  // `restoring`: the store is being filled from the archive, and any event that the kernel itself appended now would
  // begin a second chain. Only the replay ends it.
  `CREATE TABLE kernel.mode (
     singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
     mode text NOT NULL CHECK (mode IN ('normal', 'read-only', 'safe-mode')),
     restoring boolean NOT NULL DEFAULT false,
     reason text NOT NULL,
     actor jsonb NOT NULL,
     since timestamptz NOT NULL,
     CHECK (NOT restoring OR mode = 'safe-mode')
   )`,
  `INSERT INTO kernel.mode (mode, reason, actor, since)
     VALUES ('normal', 'The database was set up.', '{"id":"kernel","kind":"system","roles":[]}', now())`,
  // The id is that of the event that records the change: however often and from wherever it is tried, the chain accepts
  // an id once.
  `CREATE TABLE kernel.mode_changes (
     n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     event_id uuid NOT NULL UNIQUE,
     from_mode text NOT NULL,
     to_mode text NOT NULL,
     reason text NOT NULL,
     actor jsonb NOT NULL,
     changed_at timestamptz NOT NULL,
     recorded_at timestamptz
   )`,
  `CREATE INDEX mode_changes_unrecorded_idx ON kernel.mode_changes (n) WHERE recorded_at IS NULL`,

  // The last line of defence: processes that have not heard of the mode yet, or never will.
  `CREATE FUNCTION kernel.refuse_while_restoring() RETURNS trigger LANGUAGE plpgsql
   SET search_path = pg_catalog, pg_temp AS $$
   BEGIN
     IF (SELECT m.restoring FROM kernel.mode m) AND current_setting('kernel.restore', true) IS DISTINCT FROM 'on' THEN
       RAISE EXCEPTION 'the store is being restored from the archive: nothing but the replay may append'
         USING ERRCODE = 'restrict_violation';
     END IF;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER events_refuse_while_restoring BEFORE INSERT ON kernel.events
     FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_while_restoring()`,
  `ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_refuse_while_restoring`,
  `REVOKE ALL ON FUNCTION kernel.refuse_while_restoring FROM PUBLIC`,
];
