import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { completeAuditIndex, INDEX_SCHEMA } from './audit-index.schema';

/** The index over what payloads name, in audit indexes from before there was one. */
export class NamedEvents1764710000000 implements MigrationInterface {
  readonly name = 'NamedEvents1764710000000';

  async up(runner: QueryRunner): Promise<void> {
    await completeAuditIndex(runner);
  }

  /** A rebuild makes it again; what runs without it is slower and right. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX IF EXISTS ${INDEX_SCHEMA}.events_named_idx`);
  }
}
