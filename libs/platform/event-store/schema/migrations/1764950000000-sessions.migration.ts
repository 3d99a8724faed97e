import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Sessions of people, and the logout tokens that were taken. The cookie is here as its hash alone, what it stands for is
 * sealed, and the whole row carries a MAC under a key that the database never sees: whoever can read this table cannot
 * act as anyone, and whoever can write it cannot make a session (docs/adr/0181-sessions-are-rows-that-the-database-cannot-make.md).
 */
export class Sessions1764950000000 implements MigrationInterface {
  readonly name = 'Sessions1764950000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** Everyone signs in again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.sessions, kernel.logout_tokens');
  }
}

const STATEMENTS = [
  // Times are milliseconds since 1970: they are part of what the MAC is over.
  `CREATE TABLE kernel.sessions (
     token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
     id uuid NOT NULL UNIQUE,
     kind text NOT NULL CHECK (kind IN ('sign-in', 'person')),
     iss text CHECK (length(iss) <= 2048),
     sub text CHECK (length(sub) <= 255),
     sid text CHECK (length(sid) <= 255),
     version bigint NOT NULL CHECK (version >= 1),
     created_ms bigint NOT NULL,
     seen_ms bigint NOT NULL,
     idle_ends_ms bigint NOT NULL,
     ends_ms bigint NOT NULL,
     sealed bytea NOT NULL CHECK (octet_length(sealed) <= 65536),
     mac bytea NOT NULL CHECK (octet_length(mac) = 32),
     CONSTRAINT sessions_person CHECK ((kind = 'person') = (iss IS NOT NULL AND sub IS NOT NULL))
   ) WITH (fillfactor = 70)`,
  `CREATE INDEX sessions_person_idx ON kernel.sessions (iss, sub, id) WHERE kind = 'person'`,
  `CREATE INDEX sessions_sid_idx ON kernel.sessions (iss, sid) WHERE sid IS NOT NULL`,
  `CREATE INDEX sessions_id_idx ON kernel.sessions (id) WHERE kind = 'person'`,
  `CREATE INDEX sessions_end_idx ON kernel.sessions (least(idle_ends_ms, ends_ms))`,
  `CREATE TABLE kernel.logout_tokens (
     token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
     ends_ms bigint NOT NULL
   )`,
  `CREATE INDEX logout_tokens_end_idx ON kernel.logout_tokens (ends_ms)`,
];
