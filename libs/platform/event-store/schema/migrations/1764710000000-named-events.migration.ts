import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { completeAuditIndex, INDEX_SCHEMA } from './audit-index.schema';

/** The index over what payloads name, for audit indexes that predate it. */
export class NamedEvents1764710000000 implements MigrationInterface {
  readonly name = 'NamedEvents1764710000000';

  async up(runner: QueryRunner): Promise<void> {
    await completeAuditIndex(runner);
  }

  /** A rebuild creates it again; without it queries are slower and still right. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX IF EXISTS ${INDEX_SCHEMA}.events_named_idx`);
  }
}
