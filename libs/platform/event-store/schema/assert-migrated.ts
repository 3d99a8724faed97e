import { type DataSource } from 'typeorm';
import { Database } from '#platform/postgres';
import { MIGRATIONS } from './data-source';
import { EventStoreError } from '../event-store.error';
import { DEFAULT_LIMITS } from '../limits';

/** Triggers that must exist and always be on. */
const GUARDS = [
  'events_refuse_change',
  'events_refuse_discontinuity',
  'events_keep_keys',
  'event_keys_refuse_change',
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
  // Each statement is bounded and drops its connection without an answer: probes repeat, and would otherwise hold every
  // connection to a server that silently disappeared.
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
  // By the catalogue: a lookup of the table by name is an error for a role that may not use the schema.
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
        ? 'This role may not read kernel.migrations; migrate again with KERNEL_RUNTIME_ROLE (of a worker: KERNEL_WORKER_ROLE) set to it.'
        : `The database lacks the migration(s) ${missing.join(', ')}; migrate as the owner (./kernel migrate), then start again.`,
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
  // Each partition has its own guards, whenever it was made, and clones of those for each row.
  const [open] = await query<{ names: string[] | null }>(
    `SELECT array_agg(i.inhrelid::regclass::text ORDER BY i.inhrelid::regclass::text) AS names FROM pg_inherits i
     JOIN pg_class e ON e.oid = i.inhparent AND e.relname = 'events' JOIN pg_namespace n ON n.oid = e.relnamespace AND n.nspname = 'kernel'
     WHERE (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = i.inhrelid AND t.tgenabled = 'A'
            AND t.tgname IN ('partition_refuse_change', 'events_note_signer')) < 2`,
  );
  if (open?.names) {
    throw new EventStoreError(
      'not_migrated',
      `The guards of the partition(s) ${open.names.join(', ')} of the event log are missing or switched off; find out who did that, then restore them with ALTER TABLE ... ENABLE ALWAYS TRIGGER.`,
      { off: open.names },
    );
  }
  if (expected) {
    const [chain] = await query<ChainRow>(`SELECT origin, shards FROM kernel.chain`);
    refuseOtherChain(chain, expected);
  }
}

export interface ChainRow {
  origin: string;
  shards: number;
}

/** @throws EventStoreError `chain_mismatch` */
export function refuseOtherChain(
  chain: ChainRow | undefined,
  expected: { origin: string; shards: number },
): asserts chain is ChainRow {
  if (chain?.origin === expected.origin && chain.shards === expected.shards) return;
  throw new EventStoreError(
    'chain_mismatch',
    chain === undefined
      ? 'The database does not say whose chain it holds; migrate as the owner (./kernel migrate).'
      : `The database holds the chain of ${chain.origin} in ${chain.shards} shard(s), not of ${expected.origin} in ${expected.shards}; ` +
          'both are fixed when the chain begins. Correct the configuration or use another database.',
    { found: chain ?? null, expected },
  );
}
