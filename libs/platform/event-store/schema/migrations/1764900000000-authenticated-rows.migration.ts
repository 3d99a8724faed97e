import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Rows that the kernel acts on later carry a MAC under a key that the database never sees (docs/security-database.md):
 * stored answers, and changes of the mode. What the schema's owner states has tables of its own that no other role may write: there the
 * rights say who spoke.
 */
export class AuthenticatedRows1764900000000 implements MigrationInterface {
  readonly name = 'AuthenticatedRows1764900000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** The kernel would obey rows again that anyone can have written. */
  async down(): Promise<void> {
    throw new Error('The MACs of rows cannot be migrated away.');
  }
}

const SETTINGS = 'SET search_path = pg_catalog, pg_temp SET enable_seqscan = off';

const STATEMENTS = [
  // Answers without a MAC cannot be told from forged ones; they would be forgotten within a day anyway.
  `DELETE FROM kernel.idempotency`,
  `ALTER TABLE kernel.idempotency ADD COLUMN mac bytea NOT NULL CHECK (octet_length(mac) = 32)`,
  `DROP FUNCTION kernel.stored_answer(text, text)`,
  `CREATE FUNCTION kernel.stored_answer(in_caller text, in_key text)
   RETURNS TABLE (request_hash text, status integer, body bytea, created_ms bigint, mac bytea) LANGUAGE sql STABLE ${SETTINGS} AS $$
     SELECT i.request_hash, i.status, i.body, (extract(epoch FROM i.created_at) * 1000)::bigint, i.mac
     FROM kernel.idempotency i WHERE i.caller = in_caller AND i.key = in_key $$`,
  `REVOKE ALL ON FUNCTION kernel.stored_answer(text, text) FROM PUBLIC`,

  // What waits to be sent is signed when it is. Rows without a MAC become dead letters.
  `ALTER TABLE kernel.webhook_deliveries ADD COLUMN mac bytea CHECK (octet_length(mac) = 32)`,

  // The mode in force is the latest change here with a sound MAC: the kernel's role may add rows, and neither change nor
  // remove any. kernel.mode is the lock that orders changes, a copy for other processes, and where the owner says that the
  // store is being restored. Earlier changes are in the chain.
  `DROP TABLE kernel.mode_changes`,
  `CREATE TABLE kernel.mode_changes (
     version bigint NOT NULL CHECK (version >= 1),
     event_id uuid NOT NULL PRIMARY KEY,
     from_mode text NOT NULL,
     to_mode text NOT NULL,
     reason text NOT NULL,
     actor jsonb NOT NULL,
     changed_at timestamptz NOT NULL,
     mac bytea NOT NULL CHECK (octet_length(mac) = 32)
   )`,
  `CREATE INDEX mode_changes_version_idx ON kernel.mode_changes (version)`,
  `ALTER TABLE kernel.mode ADD COLUMN version bigint NOT NULL DEFAULT 0`,

  // Written by the owner alone: the beginning and the end of each restore (end_id and what follows it are null while it
  // lasts). after_change is the latest change of the mode at its end.
  `CREATE TABLE kernel.restores (
     n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     begin_id uuid NOT NULL UNIQUE,
     reason text NOT NULL,
     began_at timestamptz NOT NULL,
     end_id uuid UNIQUE,
     end_reason text,
     ended_at timestamptz,
     after_change uuid
   )`,
  // Written by the owner alone: rows that ./kernel audit repair removed because they were no events of this kernel.
  `CREATE TABLE kernel.repairs (
     n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     event_id uuid NOT NULL UNIQUE,
     shard integer NOT NULL,
     from_seq bigint NOT NULL,
     to_seq bigint NOT NULL,
     removed jsonb NOT NULL,
     reason text NOT NULL,
     actor text NOT NULL,
     repaired_at timestamptz NOT NULL
   )`,
];
