import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { completeAuditIndex, INDEX_SCHEMA } from './audit-index.schema';

/** Columns and indexes for finding events by digest, key, correlation and subject, for audit indexes that predate them. */
export class IndexFilters1764910000000 implements MigrationInterface {
  readonly name = 'IndexFilters1764910000000';

  async up(runner: QueryRunner): Promise<void> {
    await completeAuditIndex(runner);
  }

  /** The columns stay: earlier versions neither fill nor read them, and a rebuild by one makes a table without them. */
  async down(runner: QueryRunner): Promise<void> {
    for (const index of ['sha256', 'signer', 'correlation', 'aggregate', 'subject']) {
      await runner.query(`DROP INDEX IF EXISTS ${INDEX_SCHEMA}.events_${index}_idx`);
    }
  }
}
