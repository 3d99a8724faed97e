import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Challenges of current credential registrations: one at a time for each approver and caller. */
export class WebAuthnChallenges1764700100000 implements MigrationInterface {
  readonly name = 'WebAuthnChallenges1764700100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE kernel.webauthn_challenges (
       approver_id text NOT NULL,
       principal text NOT NULL,
       challenge text NOT NULL CHECK (octet_length(challenge) >= 43),
       expires_at timestamptz NOT NULL,
       CONSTRAINT webauthn_challenges_pkey PRIMARY KEY (approver_id, principal)
     )`);
    await runner.query(
      `CREATE INDEX webauthn_challenges_expires_idx ON kernel.webauthn_challenges (expires_at)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.webauthn_challenges');
  }
}
