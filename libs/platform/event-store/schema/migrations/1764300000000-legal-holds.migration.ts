import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Legal holds in the chain, as the archiver has read them, and how far it has carried them out. A projection: it can be
 * emptied when the archiver's position is also set back.
 */
export class LegalHolds1764300000000 implements MigrationInterface {
  readonly name = 'LegalHolds1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.legal_holds');
  }
}

const STATEMENTS = [
  // One row per range that was ever held; event_seq is the place of its last event in the stream's shard.
  `CREATE TABLE kernel.legal_holds (
     shard integer NOT NULL CHECK (shard >= 0),
     from_seq bigint NOT NULL CHECK (from_seq >= 1),
     to_seq bigint NOT NULL CHECK (to_seq >= from_seq),
     in_force boolean NOT NULL,
     reason text NOT NULL,
     event_id uuid NOT NULL,
     event_shard integer NOT NULL,
     event_seq bigint NOT NULL,
     event_ts timestamptz NOT NULL,
     applied_seq bigint NOT NULL,
     failure text,
     updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT legal_holds_pkey PRIMARY KEY (shard, from_seq, to_seq),
     CONSTRAINT legal_holds_applied CHECK (applied_seq BETWEEN from_seq - 1 AND to_seq)
   )`,
  `CREATE INDEX legal_holds_pending_idx ON kernel.legal_holds (event_ts) WHERE applied_seq < to_seq`,
];
