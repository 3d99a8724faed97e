import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { createAuditIndex, INDEX_SCHEMA } from './audit-index.schema';

/** The audit index, in a schema of its own: it can be dropped and rebuilt. */
export class AuditIndex1764200100000 implements MigrationInterface {
  readonly name = 'AuditIndex1764200100000';

  async up(runner: QueryRunner): Promise<void> {
    await createAuditIndex(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP SCHEMA ${INDEX_SCHEMA} CASCADE`);
    await runner.query(`DELETE FROM kernel.stream_positions WHERE consumer = 'indexer'`);
  }
}
