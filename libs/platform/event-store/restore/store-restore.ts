import { type DataSource, type QueryRunner } from 'typeorm';
import { beginRestoring, endRestoring } from './restore-mode.sql';
import { openEventStoreDataSource } from '../schema/data-source';
import { EventStoreError } from '../event-store.error';
import { type ShardHead, type StoredEvent } from '../event-store.types';
import { migrate } from '../schema/migrate';

/** Rows in one transaction. */
const CHUNK = 500;

export interface StoreRestoreOptions {
  /** URL of the database, as the schema's owner. */
  ownerUrl: string;
  origin: string;
  shards: number;
  /** Division of an event: the one column that is not part of the event's bytes. */
  divisionOf: (event: StoredEvent['event']) => string | null;
  /** Reason of the mode during the restore, shown and recorded with it. */
  reason: string;
}

/**
 * Refills an event store with its own earlier events. The caller has verified them; this ensures that no one else
 * appends meanwhile, that existing events are the same, and that nothing else gets in.
 *
 * An empty database is marked as being restored before anything else happens to it: a kernel that starts on it must not
 * begin a second chain. One with events is marked by the first added event, so that a mistaken run over a complete
 * store changes nothing.
 */
export class StoreRestore {
  private constructor(
    private readonly dataSource: DataSource,
    /** Holds the lock: one restore at a time. */
    private readonly lock: QueryRunner,
    private readonly options: StoreRestoreOptions,
    private readonly ends: Map<number, ShardHead>,
  ) {}

  /** @throws EventStoreError `chain_mismatch`, `invalid_request` when another restore is running */
  static async open(options: StoreRestoreOptions): Promise<StoreRestore> {
    const { ownerUrl, origin, shards, reason } = options;
    await migrate(ownerUrl, { origin, shards, restore: reason });
    const dataSource = await openEventStoreDataSource({
      url: ownerUrl,
      poolSize: 2,
      applicationName: 'kernel-restore',
      statementTimeoutMs: 0,
    });
    try {
      const lock = dataSource.createQueryRunner();
      const [taken] = (await lock.query(
        `SELECT pg_try_advisory_lock(hashtextextended('illuvrse-kernel/restore', 0)) AS taken`,
      )) as { taken: boolean }[];
      if (taken?.taken !== true) {
        throw new EventStoreError('invalid_request', 'Another restore of this database is under way.');
      }
      const rows = (await lock.query(
        `SELECT shard, seq, encode(hash, 'hex') AS hash, ts FROM kernel.shard_head ORDER BY shard`,
      )) as { shard: number; seq: string; hash: string; ts: Date | null }[];
      const ends = rows.map(({ shard, seq, hash, ts }): [number, ShardHead] => [
        shard,
        { shard, seq: Number(seq), hash, ts: ts?.toISOString() ?? null },
      ]);
      return new StoreRestore(dataSource, lock, options, new Map(ends));
    } catch (error) {
      await dataSource.destroy();
      throw error;
    }
  }

  /** The current ends of all shards. */
  heads(): ShardHead[] {
    return [...this.ends.values()];
  }

  /** Whether the database is marked as being restored. */
  async isRestoring(): Promise<boolean> {
    const [row] = await this.dataSource.query<{ restoring: boolean }[]>('SELECT restoring FROM kernel.mode');
    return row?.restoring === true;
  }

  /**
   * Adds events of one shard, in order, starting anywhere up to directly after its end: existing ones are compared byte
   * for byte, the others are added. Returns the first one that differs from the store's, or null.
   */
  async add(shard: number, events: readonly StoredEvent[]): Promise<StoredEvent | null> {
    for (let from = 0; from < events.length; from += CHUNK) {
      const chunk = events.slice(from, from + CHUNK);
      const end = this.endOf(shard);
      const known = chunk.filter(({ event }) => event.seq <= end.seq);
      const different = await this.firstDifferent(shard, known);
      if (different !== null) return different;
      if (known.length < chunk.length) await this.append(end, chunk.slice(known.length));
    }
    return null;
  }

  /** Ends the restore: everything exists again, and the kernel may continue. */
  async finish(reason: string): Promise<void> {
    await this.dataSource.transaction((runner) => endRestoring(runner, reason));
  }

  async close(): Promise<void> {
    // The server would release it when it notices the end of the session, which may be after the next run has begun.
    await this.lock.query('SELECT pg_advisory_unlock_all()').catch(() => undefined);
    await this.lock.release();
    await this.dataSource.destroy();
  }

  private endOf(shard: number): ShardHead {
    const end = this.ends.get(shard);
    if (end === undefined) throw new EventStoreError('invalid_request', `There is no shard ${shard}.`);
    return end;
  }

  private async firstDifferent(shard: number, events: readonly StoredEvent[]): Promise<StoredEvent | null> {
    const [first] = events;
    if (first === undefined) return null;
    const rows = await this.dataSource.query<{ canonical: Buffer }[]>(
      'SELECT canonical FROM kernel.shard_events($1, $2, $3, NULL) ORDER BY seq',
      [shard, first.event.seq - 1, events.length],
    );
    return events.find(({ bytes }, at) => rows[at]?.canonical.equals(bytes) !== true) ?? null;
  }

  private async append(end: ShardHead, events: readonly StoredEvent[]): Promise<void> {
    const last = events.at(-1)?.event;
    if (last === undefined) return;
    await this.dataSource.query('SELECT kernel.make_partitions()');
    await this.dataSource.transaction(async (runner) => {
      await beginRestoring(runner, this.options.reason);
      await runner.query(`SELECT set_config('kernel.restore', 'on', true)`);
      const moved = await runner.query<unknown[]>(
        `WITH moved AS (
           UPDATE kernel.shard_head SET seq = $4, hash = decode($5, 'hex'), ts = $6
           WHERE shard = $1 AND seq = $2 AND hash = decode($3, 'hex') RETURNING shard)
         SELECT shard FROM moved`,
        [end.shard, end.seq, end.hash, last.seq, last.hash, last.ts],
      );
      if (moved.length !== 1) {
        throw new EventStoreError(
          'version_conflict',
          `Somebody else has changed shard ${end.shard} behind event ${end.seq}; run it again.`,
        );
      }
      const column = <T>(of: (event: StoredEvent['event']) => T): T[] => events.map(({ event }) => of(event));
      await runner.query(
        `INSERT INTO kernel.events (shard, seq, id, ts, type, stream, stream_version, actor_id, division, signer_kid, hash, canonical)
         SELECT $1, e.seq, e.id, e.ts, e.type, e.stream, e.stream_version, e.actor_id, e.division, e.signer_kid,
                decode(e.hash, 'hex'), e.canonical
         FROM unnest($2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[],
                     $10::text[], $11::text[], $12::bytea[])
           AS e(seq, id, ts, type, stream, stream_version, actor_id, division, signer_kid, hash, canonical)`,
        [
          end.shard,
          column(({ seq }) => seq),
          column(({ id }) => id),
          column(({ ts }) => ts),
          column(({ type }) => type),
          column(({ stream }) => stream),
          column(({ streamVersion }) => streamVersion),
          column(({ actor }) => actor.id),
          column((event) => this.options.divisionOf(event)),
          column(({ signerKid }) => signerKid),
          column(({ hash }) => hash),
          events.map(({ bytes }) => Buffer.from(bytes)),
        ],
      );
    });
    this.ends.set(end.shard, { shard: end.shard, seq: last.seq, hash: last.hash, ts: last.ts });
  }
}

/**
 * Marks a database that holds a chain as being restored, whatever is in it: a kernel that starts on it stays in safe-mode until
 * a restore has ended. For a database from a backup, of which only the archive says whether it is whole.
 * @param url as the schema's owner, or as a superuser
 */
export async function markRestoring(url: string, reason: string): Promise<void> {
  const dataSource = await openEventStoreDataSource({
    url,
    poolSize: 1,
    applicationName: 'kernel-restore',
    connectTimeoutMs: 10_000,
  });
  try {
    await dataSource.transaction((runner) => beginRestoring(runner, reason));
  } finally {
    await dataSource.destroy();
  }
}
