import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Audits as the auditor recorded them, for those who cannot read the archive. The workers' role adds rows and can neither
 * change nor remove any; who has its password can add false ones, so that nothing counts but what a seal proves
 * (docs/adr/0194-audit-runs-are-read-from-a-copy.md).
 */
export class AuditRuns1764960000000 implements MigrationInterface {
  readonly name = 'AuditRuns1764960000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** The archive has every report. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.audit_runs');
    await runner.query('DROP FUNCTION kernel.keep_newest_audit_runs()');
  }
}

/** Two to three years of nightly audits. */
const KEPT = 1_000;

const STATEMENTS = [
  // Nobody is granted n, recorded_at and what is computed, so that no writer chooses them. A report of more than 4 MiB is in the
  // archive alone.
  `CREATE TABLE kernel.audit_runs (
     n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     id uuid NOT NULL UNIQUE,
     started_at timestamptz NOT NULL
       CHECK (started_at BETWEEN '2000-01-01T00:00:00Z' AND '9999-12-30T00:00:00Z'),
     outcome text NOT NULL CHECK (outcome IN ('clean', 'findings', 'failed', 'refused')),
     events bigint CHECK (events BETWEEN 0 AND 9007199254740991),
     findings bigint CHECK (findings BETWEEN 0 AND 9007199254740991),
     message text CHECK (length(message) <= 2000),
     report bytea CHECK (octet_length(report) <= 4194304),
     report_sha256 bytea GENERATED ALWAYS AS (sha256(report)) STORED,
     report_size integer GENERATED ALWAYS AS (octet_length(report)) STORED,
     seal bytea CHECK (octet_length(seal) <= 8192),
     CONSTRAINT audit_runs_counts CHECK (
       (events IS NOT NULL) = (outcome IN ('clean', 'findings')) AND (findings IS NOT NULL) = (events IS NOT NULL)),
     CONSTRAINT audit_runs_documents CHECK (outcome IN ('clean', 'findings') OR (report IS NULL AND seal IS NULL))
   )`,
  `CREATE FUNCTION kernel.keep_newest_audit_runs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
   SET search_path = pg_catalog, pg_temp AS $$
   BEGIN
     DELETE FROM kernel.audit_runs r
     WHERE r.n <= (SELECT k.n FROM kernel.audit_runs k ORDER BY k.n DESC OFFSET ${KEPT} LIMIT 1);
     RETURN NULL;
   END $$`,
  `REVOKE ALL ON FUNCTION kernel.keep_newest_audit_runs() FROM PUBLIC`,
  `CREATE TRIGGER audit_runs_keep_newest AFTER INSERT ON kernel.audit_runs
     FOR EACH STATEMENT EXECUTE FUNCTION kernel.keep_newest_audit_runs()`,
];
