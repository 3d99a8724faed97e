import { type QueryRunner } from 'typeorm';
import { genesisHash, MAX_SHARDS } from '#evidence';
import { openEventStoreDataSource, SCHEMA } from './data-source';
import { EventStoreError } from '../event-store.error';
import { restoreAuditIndex } from './migrations/audit-index.schema';
import { PARTITION_EVENTS } from './migrations/partitions.schema';
import { beginRestoring } from '../restore/restore-mode.sql';
import { type ChainRow, refuseOtherChain } from './assert-migrated';
import { grant } from './role-rights';

/** One migration at a time per database: `hashtext('illuvrse-kernel/migrate')`, computed by the server. */
export const MIGRATION_LOCK = `hashtextextended('illuvrse-kernel/migrate', 0)`;

export interface MigrateOptions {
  /** Names this kernel, `kernel.example.com/prod`; under every hash, so fixed for the life of the database. */
  origin: string;
  /** Also fixed: a stream's shard follows from it. */
  shards: number;
  /** An existing role that gets exactly the rights the kernel needs at run time. */
  runtimeRole?: string;
  /** The same for the workers behind the store. Without a role, nothing is granted. */
  workerRole?: string;
  /** Events in each partition that is made from now on; unless given it stays as it is, at first 5,000,000. */
  partitionEvents?: number;
  /**
   * The chain already exists elsewhere (in the archive): a database without an event is marked as being restored, for
   * this reason, in the transaction that makes it usable. One with events stays as it is.
   */
  restore?: string;
}

/**
 * Brings the schema up to date and records origin and shard count. Run it as the role that owns the schema, as often
 * and from as many places at once as you like.
 *
 * @throws EventStoreError `chain_mismatch` when the database holds another chain; `invalid_request` for
 * impossible options
 */
export async function migrate(ownerUrl: string, options: MigrateOptions): Promise<void> {
  validate(options);
  const dataSource = await openEventStoreDataSource({
    url: ownerUrl,
    poolSize: 3,
    applicationName: 'kernel-migrate',
    // An index over a long log may take any time.
    statementTimeoutMs: 0,
  });
  try {
    const runner = dataSource.createQueryRunner();
    try {
      await runner.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
      // Not IF NOT EXISTS: that requires the right to create schemas even where a DBA has created this one.
      const [schema] = (await runner.query(`SELECT to_regnamespace('${SCHEMA}') IS NOT NULL AS there`)) as {
        there: boolean;
      }[];
      if (!schema?.there) await runner.query(`CREATE SCHEMA ${SCHEMA}`);
      await dataSource.runMigrations();
      await inTransaction(runner, async () => {
        await restoreAuditIndex(runner);
        await recordChain(runner, options);
        if (options.partitionEvents !== undefined) {
          await runner.query('UPDATE kernel.partitioning SET events = $1', [options.partitionEvents]);
        }
        await runner.query('SELECT kernel.make_partitions()');
        if (options.restore !== undefined) await restoreIfEmpty(runner, options.restore);
        if (options.runtimeRole !== undefined) await grant(runner, 'runtime', options.runtimeRole);
        if (options.workerRole !== undefined) await grant(runner, 'worker', options.workerRole);
      });
      await runner.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`);
    } finally {
      await runner.release();
    }
  } finally {
    await dataSource.destroy();
  }
}

function validate({ origin, shards, runtimeRole, workerRole, partitionEvents }: MigrateOptions): void {
  // It is on a line of its own in every signing input (formats, section 2).
  if (origin === '' || origin.length > 255 || /[\p{Cc}\s]/u.test(origin)) {
    throw new EventStoreError(
      'invalid_request',
      `The origin ${JSON.stringify(origin)} must be 1 to 255 characters without spaces or control characters.`,
    );
  }
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_SHARDS) {
    throw new EventStoreError(
      'invalid_request',
      `The number of shards must be 1 to ${MAX_SHARDS}, not ${shards}.`,
    );
  }
  const { least, most } = PARTITION_EVENTS;
  if (
    partitionEvents !== undefined &&
    !(Number.isInteger(partitionEvents) && partitionEvents >= least && partitionEvents <= most)
  ) {
    throw new EventStoreError(
      'invalid_request',
      `A partition must have room for ${least} to ${most} events, not ${partitionEvents}.`,
    );
  }
  if (runtimeRole !== undefined && runtimeRole === workerRole) {
    throw new EventStoreError(
      'invalid_request',
      `The kernel and the workers cannot share the role ${JSON.stringify(runtimeRole)}: the workers must not be able to append; give them one of their own.`,
    );
  }
}

async function inTransaction(runner: QueryRunner, work: () => Promise<void>): Promise<void> {
  await runner.startTransaction();
  try {
    await work();
    await runner.commitTransaction();
  } catch (error) {
    await runner.rollbackTransaction();
    throw error;
  }
}

async function recordChain(runner: QueryRunner, { origin, shards }: MigrateOptions): Promise<void> {
  await runner.query(`INSERT INTO kernel.chain (origin, shards) VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
    origin,
    shards,
  ]);
  const [chain] = (await runner.query(`SELECT origin, shards FROM kernel.chain`)) as ChainRow[];
  refuseOtherChain(chain, { origin, shards });
  for (let shard = 0; shard < shards; shard++) {
    await runner.query(
      `INSERT INTO kernel.shard_head (shard, seq, hash, ts) VALUES ($1, 0, decode($2, 'hex'), NULL) ON CONFLICT DO NOTHING`,
      [shard, genesisHash(origin, shard)],
    );
  }
}

async function restoreIfEmpty(runner: QueryRunner, reason: string): Promise<void> {
  const [filled] = (await runner.query('SELECT FROM kernel.shard_head WHERE seq > 0 LIMIT 1')) as object[];
  if (filled === undefined) await beginRestoring(runner, reason);
}
