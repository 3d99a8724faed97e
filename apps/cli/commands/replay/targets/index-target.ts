import { type DataSource } from '#platform/postgres';
import { divisionOf } from '#platform/edge';
import { IndexRebuild, IntegrityFault, type VerifiedEvent } from '#platform/audit-stream';
import { type ReplayHead } from '../event-source';
import { type ReplayedHead, type ReplayTarget } from '../replay-target';

export interface IndexTargetOptions {
  /** Initialised data source of the workers' role, without a statement timeout; the caller owns it. */
  readonly dataSource: DataSource;
  readonly origin: string;
  readonly shards: number;
  /** Do not continue an interrupted rebuild. */
  readonly fresh: boolean;
}

/** The audit index: built beside the one in force, which answers until the whole is verified. */
export class IndexTarget implements ReplayTarget {
  readonly name = 'the index';
  readonly isStaged = true;

  private constructor(
    private readonly options: IndexTargetOptions,
    private readonly rebuild: IndexRebuild,
  ) {}

  static async open(options: IndexTargetOptions): Promise<IndexTarget> {
    return new IndexTarget(options, await IndexRebuild.begin({ ...options, divisionOf }));
  }

  get origin(): string {
    return this.options.origin;
  }

  get shards(): number {
    return this.options.shards;
  }

  heads(): Promise<readonly ReplayHead[]> {
    return this.rebuild.heads();
  }

  add(shard: number, events: readonly VerifiedEvent[]): Promise<void> {
    return this.rebuild.add(shard, events);
  }

  readonly storedHashes = (shard: number, seqs: readonly number[]): Promise<ReadonlyMap<number, string>> =>
    this.rebuild.storedHashes(shard, seqs);

  async finish(cursors: ReadonlyMap<number, string>): Promise<readonly ReplayedHead[]> {
    await this.rebuild.complete();
    const heads = await this.compareWithStore();
    await this.rebuild.swap(cursors);
    return heads;
  }

  /** A sound chain can still differ from the store's: it may come from a copy that diverged. */
  private async compareWithStore(): Promise<ReplayedHead[]> {
    const heads = await this.rebuild.heads();
    const rows = await this.options.dataSource.query<{ shard: number; seq: string; hash: string | null }[]>(
      `SELECT h.shard, h.seq, encode(e.hash, 'hex') AS hash
       FROM kernel.shard_head h
       JOIN unnest($1::integer[], $2::bigint[]) AS r(shard, seq) ON r.shard = h.shard
       LEFT JOIN kernel.events e ON e.shard = r.shard AND e.seq = r.seq`,
      [heads.map(({ shard }) => shard), heads.map(({ seq }) => seq)],
    );
    const store = new Map(rows.map((row) => [row.shard, row]));
    return heads.map((head) => {
      const known = store.get(head.shard);
      if (known !== undefined && known.hash !== null && known.hash !== head.hash) {
        throw new IntegrityFault(
          'fork',
          head.shard,
          head.seq,
          `Shard ${head.shard}: the event at position ${head.seq} has hash ${head.hash}, in the event store it has ${known.hash}: they are two chains.`,
        );
      }
      return { ...head, storeSeq: known === undefined ? null : Number(known.seq) };
    });
  }

  close(): Promise<void> {
    return this.rebuild.close();
  }
}
