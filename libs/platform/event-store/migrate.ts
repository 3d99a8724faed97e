import { type DataSource, type QueryRunner } from 'typeorm';
import { genesisHash } from '#evidence';
import { MIGRATIONS, openEventStoreDataSource, SCHEMA } from './data-source';
import { EventStoreError } from './event-store.error';
import { DEFAULT_LIMITS } from './limits';
import { INDEX_SCHEMA, restoreAuditIndex } from './migrations/audit-index.schema';
import { Database } from './postgres/database';
import { beginRestoring } from './restore/restore-mode.sql';

/** One migration at a time per database: `hashtext('illuvrse-kernel/migrate')`, computed by the server. */
const LOCK = `hashtextextended('illuvrse-kernel/migrate', 0)`;

/** Rights of the kernel's role at run time, whole: what is not here it does not have. */
const RUNTIME_GRANTS = [
  'SELECT, INSERT ON kernel.events',
  'SELECT, UPDATE (seq, hash, ts) ON kernel.shard_head',
  'SELECT, INSERT, DELETE ON kernel.idempotency',
  'SELECT ON kernel.chain',
  'SELECT ON kernel.migrations',
  // The kernel's processes elect the coordinator of upgrades among themselves.
  'SELECT, INSERT, UPDATE ON kernel.leadership',
  'SELECT ON kernel.relay_cursors',
  'SELECT, UPDATE (mode, reason, actor, since) ON kernel.mode',
  'SELECT, INSERT, UPDATE (recorded_at) ON kernel.mode_changes',
  'SELECT ON kernel.stream_positions',
  'SELECT ON kernel.legal_holds',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.webhook_deliveries',
  'SELECT, INSERT, DELETE ON kernel.webhook_reminders',
  'SELECT, INSERT, UPDATE ON kernel.webhook_positions',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.webauthn_challenges',
  'SELECT ON kernel.ended_signers',
  'EXECUTE ON FUNCTION kernel.append_state(integer, text[], text[], text[], uuid[])',
  'EXECUTE ON FUNCTION kernel.event_by_id(uuid)',
  'EXECUTE ON FUNCTION kernel.stream_events(text, bigint)',
  'EXECUTE ON FUNCTION kernel.stored_answer(text, text)',
  'EXECUTE ON FUNCTION kernel.first_seq_at(integer, timestamptz)',
  'EXECUTE ON FUNCTION kernel.first_version_at(text, timestamptz)',
  `USAGE ON SCHEMA ${INDEX_SCHEMA}`,
  'EXECUTE ON FUNCTION kernel_index.first_seq_at(integer, timestamptz)',
  'EXECUTE ON FUNCTION kernel_index.first_version_at(text, timestamptz)',
];

/** Rights of the role of relay, indexer, archiver and auditor: they read the chain and write only what is theirs. */
const WORKER_GRANTS = [
  'SELECT ON kernel.events',
  'SELECT ON kernel.shard_head',
  'SELECT ON kernel.chain',
  'SELECT ON kernel.migrations',
  'EXECUTE ON FUNCTION kernel.event_by_id(uuid)',
  'EXECUTE ON FUNCTION kernel.first_seq_at(integer, timestamptz)',
  'SELECT ON kernel.mode',
  'SELECT, INSERT, UPDATE ON kernel.leadership',
  'SELECT, INSERT, UPDATE ON kernel.relay_cursors',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.stream_positions',
  `USAGE ON SCHEMA ${INDEX_SCHEMA}`,
  'EXECUTE ON FUNCTION kernel_index.first_seq_at(integer, timestamptz)',
  'EXECUTE ON FUNCTION kernel_index.first_version_at(text, timestamptz)',
  'EXECUTE ON FUNCTION kernel_index.rebuild_begin()',
  'EXECUTE ON FUNCTION kernel_index.rebuild_discard()',
  'EXECUTE ON FUNCTION kernel_index.rebuild_complete()',
  'EXECUTE ON FUNCTION kernel_index.rebuild_swap(text, jsonb)',
  'SELECT, INSERT, UPDATE ON kernel.legal_holds',
];

/** Rights on the index's tables: those that are there, and those that a rebuild will put in their place. */
const INDEX_RIGHTS = { runtime: 'SELECT', worker: 'SELECT, INSERT' };

export interface MigrateOptions {
  /** Names this kernel, `kernel.example.com/prod`; under every hash, so fixed for the life of the database. */
  origin: string;
  /** Fixed too: a stream's shard follows from it. */
  shards: number;
  /** An existing role that gets exactly the rights the kernel needs at run time. */
  runtimeRole?: string;
  /** The same for the workers behind the store. Nothing is granted to a role that is left out. */
  workerRole?: string;
  /**
   * The chain exists already, elsewhere (in the archive): a database without an event is marked as being restored, for
   * this reason, in the transaction that makes it usable. One that holds events stays as it is.
   */
  restore?: string;
}

/**
 * Brings the schema up to date and records origin and shard count. Run as the role that owns the schema; as often as
 * you like, from as many places at once as you like.
 *
 * @throws EventStoreError `chain_mismatch` when the database holds another chain; `invalid_request` for options that
 * cannot be
 */
export async function migrate(ownerUrl: string, options: MigrateOptions): Promise<void> {
  validate(options);
  const dataSource = await openEventStoreDataSource({
    url: ownerUrl,
    poolSize: 3,
    applicationName: 'kernel-migrate',
    // An index over a long log takes as long as it takes.
    statementTimeoutMs: 0,
  });
  try {
    const runner = dataSource.createQueryRunner();
    try {
      await runner.query(`SELECT pg_advisory_lock(${LOCK})`);
      // Not IF NOT EXISTS: that wants the right to create schemas even where a DBA has made this one.
      const [schema] = (await runner.query(`SELECT to_regnamespace('${SCHEMA}') IS NOT NULL AS there`)) as {
        there: boolean;
      }[];
      if (!schema?.there) await runner.query(`CREATE SCHEMA ${SCHEMA}`);
      await dataSource.runMigrations();
      await inTransaction(runner, async () => {
        await restoreAuditIndex(runner);
        await recordChain(runner, options);
        if (options.restore !== undefined) await restoreIfEmpty(runner, options.restore);
        if (options.runtimeRole !== undefined) {
          await grant(runner, 'runtime', options.runtimeRole, RUNTIME_GRANTS);
        }
        if (options.workerRole !== undefined) {
          await grant(runner, 'worker', options.workerRole, WORKER_GRANTS);
        }
      });
      await runner.query(`SELECT pg_advisory_unlock(${LOCK})`);
    } finally {
      await runner.release();
    }
  } finally {
    await dataSource.destroy();
  }
}

function validate({ origin, shards, runtimeRole, workerRole }: MigrateOptions): void {
  // It stands on a line of its own in every signing input (formats, section 2).
  if (origin === '' || origin.length > 255 || /[\p{Cc}\s]/u.test(origin)) {
    throw new EventStoreError(
      'invalid_request',
      `The origin ${JSON.stringify(origin)} must be 1 to 255 characters without spaces or control characters.`,
    );
  }
  if (!Number.isInteger(shards) || shards < 1 || shards > 1024) {
    throw new EventStoreError('invalid_request', `The number of shards must be 1 to 1024, not ${shards}.`);
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

async function grant(
  runner: QueryRunner,
  kind: 'runtime' | 'worker',
  role: string,
  rights: readonly string[],
): Promise<void> {
  const found = (await runner.query(
    `SELECT quote_ident(rolname) AS name, pg_has_role(rolname, current_user, 'MEMBER') AS owns
     FROM pg_roles WHERE rolname = $1`,
    [role],
  )) as { name: string; owns: boolean }[];
  const [{ name, owns } = { name: '', owns: false }] = found;
  if (name === '') {
    throw new EventStoreError(
      'invalid_request',
      `The ${kind} role ${JSON.stringify(role)} does not exist; create it (CREATE ROLE ... LOGIN) and migrate again.`,
    );
  }
  if (owns) {
    throw new EventStoreError(
      'invalid_request',
      `The ${kind} role ${JSON.stringify(role)} may act as the schema's owner and so could switch the guards off; give the ${kind === 'runtime' ? 'kernel' : 'workers'} a role of its own.`,
    );
  }
  for (const schema of [SCHEMA, INDEX_SCHEMA]) {
    await runner.query(`REVOKE ALL ON SCHEMA ${schema} FROM PUBLIC, ${name}`);
    for (const objects of ['TABLES', 'FUNCTIONS', 'SEQUENCES']) {
      await runner.query(`REVOKE ALL ON ALL ${objects} IN SCHEMA ${schema} FROM PUBLIC, ${name}`);
    }
  }
  await runner.query(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${name}`);
  const tables = INDEX_RIGHTS[kind];
  await runner.query(`GRANT ${tables} ON ALL TABLES IN SCHEMA ${INDEX_SCHEMA} TO ${name}`);
  await runner.query(
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${INDEX_SCHEMA} GRANT ${tables} ON TABLES TO ${name}`,
  );
  for (const right of rights) await runner.query(`GRANT ${right} TO ${name}`);
}

interface ChainRow {
  origin: string;
  shards: number;
}

function refuseOtherChain(
  chain: ChainRow | undefined,
  expected: { origin: string; shards: number },
): asserts chain is ChainRow {
  if (chain?.origin === expected.origin && chain.shards === expected.shards) return;
  throw new EventStoreError(
    'chain_mismatch',
    chain === undefined
      ? 'The database does not say whose chain it holds; run the migrations with the owner role.'
      : `The database holds the chain of ${chain.origin} in ${chain.shards} shard(s), not of ${expected.origin} in ${expected.shards}; ` +
          'both are fixed when the chain begins. Correct the configuration or use another database.',
    { found: chain ?? null, expected },
  );
}

/** Triggers that must be there and always on. */
const GUARDS = [
  'events_refuse_change',
  'events_refuse_discontinuity',
  'chain_refuse_change',
  'shard_head_refuse_change',
  'shard_head_refuse_rewind',
  'shard_head_names_an_event',
  'events_refuse_while_restoring',
  'events_note_signer',
];

/**
 * Refuses a database that this code cannot run on: migrations missing, guards switched off, or (with `expected`)
 * another chain. A newer schema is fine: it comes before the code that needs it.
 *
 * @throws EventStoreError `not_migrated`, `chain_mismatch`, `store_unavailable`
 */
export async function assertMigrated(
  dataSource: DataSource,
  expected?: { origin: string; shards: number },
): Promise<void> {
  // Each statement is bounded and gives its connection up when there is no answer: probes come again and again, and
  // would otherwise hold every connection to a server that went away without a word.
  const database = new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs);
  const query = async <T extends object>(sql: string, parameters: unknown[] = []): Promise<T[]> => {
    try {
      return await database.query<T>(sql, parameters);
    } catch (cause) {
      throw new EventStoreError(
        'store_unavailable',
        `PostgreSQL could not be asked about its schema: ${(cause as Error).message}`,
        {},
        { cause },
      );
    }
  };
  // By the catalogue: looking the table up by name is an error for a role that may not use the schema.
  const [present] = await query<{ usable: boolean }>(
    `SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS usable
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'kernel' AND c.relname = 'migrations'`,
  );
  const done = present?.usable
    ? await query<{ name: string }>(`SELECT name FROM kernel.migrations`)
    : ([] as { name: string }[]);
  const names = new Set(done.map(({ name }) => name));
  const missing = MIGRATIONS.map((Migration) => new Migration().name).filter((name) => !names.has(name));
  if (missing.length > 0) {
    throw new EventStoreError(
      'not_migrated',
      present && !present.usable
        ? 'This role may not read kernel.migrations; run the migrations again with runtimeRole (of a worker: workerRole) set to it.'
        : `The database lacks the migration(s) ${missing.join(', ')}; run the migrations with the owner role, then start again.`,
      { missing },
    );
  }
  const on = await query<{ name: string }>(
    `SELECT t.tgname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'kernel' AND t.tgenabled = 'A' AND NOT t.tgisinternal`,
  );
  const off = GUARDS.filter((guard) => !on.some(({ name }) => name === guard));
  if (off.length > 0) {
    throw new EventStoreError(
      'not_migrated',
      `The guard(s) ${off.join(', ')} of the event log are missing or switched off; find out who did that, then restore them with ALTER TABLE ... ENABLE ALWAYS TRIGGER.`,
      { off },
    );
  }
  if (expected) {
    const [chain] = await query<ChainRow>(`SELECT origin, shards FROM kernel.chain`);
    refuseOtherChain(chain, expected);
  }
}

/**
 * Refuses a connection whose role could change or remove events: production must not run as the schema's owner or as
 * a superuser.
 *
 * @throws EventStoreError `not_migrated`
 */
export async function assertRuntimeRole(dataSource: DataSource): Promise<void> {
  await assertPowerless(dataSource, 'runtimeRole');
}

/**
 * Refuses a worker's connection whose role could change, remove or add events.
 *
 * @throws EventStoreError `not_migrated`
 */
export async function assertWorkerRole(dataSource: DataSource): Promise<void> {
  await assertPowerless(dataSource, 'workerRole');
}

async function assertPowerless(
  dataSource: DataSource,
  grantedAs: 'runtimeRole' | 'workerRole',
): Promise<void> {
  const [role] = await dataSource.query<{ name: string; powers: string[] }[]>(
    `SELECT current_user AS name, array_remove(ARRAY[
       CASE WHEN r.rolsuper THEN 'superuser' END,
       CASE WHEN pg_has_role(current_user, c.relowner, 'MEMBER') THEN 'owner' END,
       CASE WHEN has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
       CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
       CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END,
       CASE WHEN has_table_privilege(c.oid, 'TRIGGER') THEN 'TRIGGER' END,
       CASE WHEN $1 AND has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END
     ], NULL) AS powers
     FROM pg_class c, pg_roles r WHERE c.oid = 'kernel.events'::regclass AND r.rolname = current_user`,
    [grantedAs === 'workerRole'],
  );
  if (role && role.powers.length === 0) return;
  throw new EventStoreError(
    'not_migrated',
    `The database role ${role?.name} could change what is in the event log (${role?.powers.join(', ')}); ` +
      `connect as a role that migrate() granted its rights to as ${grantedAs}.`,
    { ...role },
  );
}
