import { type DataSource, type QueryRunner } from 'typeorm';
import { SCHEMA } from './data-source';
import { EventStoreError } from '../event-store.error';
import { INDEX_SCHEMA } from './migrations/audit-index.schema';

/** Functions that read events, whether their partition is attached or not. */
const READS = [
  'kernel.attached_from(integer)',
  'kernel.indexed_until(integer)',
  'kernel.event_at(integer, bigint)',
  'kernel.shard_events(integer, bigint, integer, text)',
  'kernel.signed_range(integer, bigint, text)',
  'kernel.first_seq_at(integer, timestamptz)',
  'kernel.partition_room()',
].map((name) => `EXECUTE ON FUNCTION ${name}`);

/** All rights of the kernel's role at run time: it has no others. */
const RUNTIME_RIGHTS = [
  // On the whole table alone: a partition has no rights of its own to give.
  'SELECT, INSERT ON kernel.events',
  'SELECT ON kernel.event_keys',
  'SELECT ON kernel.partitions',
  'SELECT ON kernel.partitioning',
  'SELECT ON kernel.detachments',
  'EXECUTE ON FUNCTION kernel.make_partitions()',
  'SELECT, UPDATE (seq, hash, ts, fence) ON kernel.shard_head',
  'SELECT, INSERT, DELETE ON kernel.idempotency',
  'SELECT ON kernel.chain',
  'SELECT ON kernel.migrations',
  // The kernel's processes elect the coordinator of upgrades among themselves.
  'SELECT, INSERT, UPDATE ON kernel.leadership',
  'SELECT ON kernel.relay_cursors',
  'SELECT, UPDATE (mode, reason, actor, since, version) ON kernel.mode',
  'SELECT, INSERT ON kernel.mode_changes',
  'SELECT ON kernel.restores',
  'SELECT ON kernel.repairs',
  'SELECT ON kernel.stream_positions',
  'SELECT ON kernel.legal_holds',
  'SELECT ON kernel.audit_runs',
  'SELECT, INSERT, DELETE ON kernel.event_traces',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.webhook_deliveries',
  'SELECT, INSERT, DELETE ON kernel.webhook_reminders',
  'SELECT, INSERT, UPDATE ON kernel.webhook_positions',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.webhook_places',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.webhook_retries',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.webauthn_challenges',
  'SELECT, INSERT, UPDATE, DELETE ON kernel.sessions',
  'SELECT, INSERT, DELETE ON kernel.logout_tokens',
  'EXECUTE ON FUNCTION kernel.append_state(integer, text[], text[], text[], uuid[])',
  'EXECUTE ON FUNCTION kernel.event_by_id(uuid)',
  'EXECUTE ON FUNCTION kernel.stream_events(text, bigint)',
  'EXECUTE ON FUNCTION kernel.stored_answer(text, text)',
  ...READS,
  'EXECUTE ON FUNCTION kernel.first_version_at(text, timestamptz)',
  `USAGE ON SCHEMA ${INDEX_SCHEMA}`,
  'EXECUTE ON FUNCTION kernel_index.first_seq_at(integer, timestamptz)',
  'EXECUTE ON FUNCTION kernel_index.first_version_at(text, timestamptz)',
];

/** Rights of the role of relay, indexer, archiver and auditor: they read the chain and write only their own data. */
const WORKER_RIGHTS = [
  'SELECT ON kernel.events',
  'SELECT ON kernel.event_keys',
  'SELECT ON kernel.detachments',
  'SELECT ON kernel.shard_head',
  'SELECT ON kernel.chain',
  'SELECT ON kernel.migrations',
  'EXECUTE ON FUNCTION kernel.event_by_id(uuid)',
  ...READS,
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
  'SELECT ON kernel.event_traces',
  // What is not named is the table's own to say.
  'INSERT (id, started_at, outcome, events, findings, message, report, seal) ON kernel.audit_runs',
];

/** Rights on the index's tables: the existing ones, and those that a rebuild will put in their place. */
const INDEX_RIGHTS = { runtime: 'SELECT', worker: 'SELECT, INSERT' };

const RIGHTS = { runtime: RUNTIME_RIGHTS, worker: WORKER_RIGHTS };

/** Grants a role exactly its rights. @throws EventStoreError `invalid_request` for a role that cannot have them */
export async function grant(runner: QueryRunner, kind: 'runtime' | 'worker', role: string): Promise<void> {
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
  for (const right of RIGHTS[kind]) await runner.query(`GRANT ${right} TO ${name}`);
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
    `WITH tables AS (
       SELECT 'kernel.events'::regclass::oid AS oid UNION ALL SELECT 'kernel.event_keys'::regclass
       UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'kernel.events'::regclass
     ), powers AS (
       SELECT unnest(ARRAY[
         CASE WHEN r.rolsuper THEN 'superuser' END,
         CASE WHEN pg_has_role(current_user, c.relowner, 'MEMBER') THEN 'owner' END,
         CASE WHEN has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
         CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
         CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END,
         CASE WHEN has_table_privilege(c.oid, 'TRIGGER') THEN 'TRIGGER' END,
         CASE WHEN ($1 OR c.oid <> 'kernel.events'::regclass) AND has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END
       ]) AS power
       FROM tables t JOIN pg_class c ON c.oid = t.oid, pg_roles r WHERE r.rolname = current_user
     )
     SELECT current_user AS name, array(SELECT DISTINCT power FROM powers WHERE power IS NOT NULL ORDER BY power) AS powers`,
    [grantedAs === 'workerRole'],
  );
  if (role && role.powers.length === 0) return;
  throw new EventStoreError(
    'not_migrated',
    `The database role ${role?.name} could change what is in the event log (${role?.powers.join(', ')}); ` +
      `connect as the role that a migration gives its rights to (${grantedAs === 'workerRole' ? 'KERNEL_WORKER_ROLE' : 'KERNEL_RUNTIME_ROLE'}).`,
    { ...role },
  );
}
