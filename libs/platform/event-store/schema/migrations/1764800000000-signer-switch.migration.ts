import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Notes the keys that have ended, for the statement that commits a group. Every registry event is announced. */
export class SignerSwitch1764800000000 implements MigrationInterface {
  readonly name = 'SignerSwitch1764800000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** The process that signs next would no longer know which keys have ended. */
  async down(): Promise<void> {
    throw new Error('The fence of ended keys cannot be migrated away.');
  }
}

const SETTINGS = 'SET search_path = pg_catalog, pg_temp';

const STATEMENTS = [
  `CREATE TABLE kernel.ended_signers (kid text PRIMARY KEY, ended_at timestamptz NOT NULL)`,

  // As the owner: the kernel's role reads the table and cannot write it. Payloads are text from the chain, so nothing
  // here may fail because of their content.
  `CREATE FUNCTION kernel.note_signer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER ${SETTINGS} AS $$
   DECLARE
     kid text;
   BEGIN
     IF NEW.type IN ('signer.retired', 'signer.compromised', 'signer.emergency') THEN
       kid := convert_from(NEW.canonical, 'UTF8')::jsonb -> 'payload' ->>
         CASE WHEN NEW.type = 'signer.emergency' THEN 'from' ELSE 'signer_kid' END;
       IF kid IS NOT NULL THEN
         INSERT INTO kernel.ended_signers VALUES (kid, NEW.ts) ON CONFLICT DO NOTHING;
       END IF;
     END IF;
     PERFORM pg_notify('kernel_signers', NEW.type);
     RETURN NULL;
   END $$`,
  `REVOKE ALL ON FUNCTION kernel.note_signer FROM PUBLIC`,
  `CREATE TRIGGER events_note_signer AFTER INSERT ON kernel.events
     FOR EACH ROW WHEN (NEW.stream LIKE 'signer/%') EXECUTE FUNCTION kernel.note_signer()`,
  `ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_note_signer`,
  `INSERT INTO kernel.ended_signers
     SELECT kid, min(ts) FROM (
       SELECT convert_from(e.canonical, 'UTF8')::jsonb -> 'payload' ->> 'signer_kid' AS kid, e.ts
       FROM kernel.events e WHERE e.type IN ('signer.retired', 'signer.compromised') AND e.stream LIKE 'signer/%') ended
     WHERE kid IS NOT NULL GROUP BY kid`,
];
