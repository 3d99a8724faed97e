import { divisionOf } from '#platform/edge';
import { IntegrityFault, type VerifiedEvent } from '#platform/audit-stream';
import { genesisHash } from '#evidence';
import { StoreRestore } from '#platform/event-store';
import { type ReplayHead } from '../event-source';
import { type ReplayedHead, type ReplayTarget } from '../replay-target';

export interface StoreTargetOptions {
  /** URL of the database, as the schema's owner. */
  readonly ownerUrl: string;
  readonly origin: string;
  readonly shards: number;
  /** Name for a person: `the archive in /srv/archive`. */
  readonly sourceName: string;
  /** Asked when the store ends where the source ends, and before the kernel may leave safe-mode. @throws to keep it there */
  readonly beforeFinish?:
    ((heads: readonly { shard: number; seq: number; hash: string }[]) => Promise<void>) | undefined;
}

/**
 * The event store itself, after its database was lost: an empty one, or one that holds the beginning of the chain.
 * Every event is read and verified from the first, whatever the store has already: existing events are compared byte
 * for byte, and only what follows them is added. The kernel is in safe-mode meanwhile, and leaves it when in every
 * shard the end of the store is the end of the source.
 */
export class StoreTarget implements ReplayTarget {
  readonly name = 'the event store';
  readonly isStaged = false;
  /** The last event of the source, by shard. */
  private readonly sourceEnds = new Map<number, { seq: number; hash: string }>();

  private constructor(
    private readonly options: StoreTargetOptions,
    private readonly restore: StoreRestore,
  ) {}

  static async open(options: StoreTargetOptions): Promise<StoreTarget> {
    const { ownerUrl, origin, shards, sourceName } = options;
    const restore = await StoreRestore.open({
      ownerUrl,
      origin,
      shards,
      divisionOf: ({ stream, payload }) => divisionOf(stream, payload),
      reason: `The event store is rebuilt from ${sourceName}.`,
    });
    return new StoreTarget(options, restore);
  }

  get origin(): string {
    return this.options.origin;
  }

  get shards(): number {
    return this.options.shards;
  }

  heads(): Promise<readonly ReplayHead[]> {
    const { origin } = this.options;
    const beginnings = this.restore
      .heads()
      .map(({ shard }) => ({ shard, seq: 0, hash: genesisHash(origin, shard), ts: null }));
    return Promise.resolve(beginnings);
  }

  async add(shard: number, events: readonly VerifiedEvent[]): Promise<void> {
    const different = await this.restore.add(shard, events);
    if (different !== null) {
      const { seq, hash } = different.event;
      throw new IntegrityFault(
        'fork',
        shard,
        seq,
        `Shard ${shard}: the event store has another event at position ${seq} than ${this.options.sourceName}, where it has hash ${hash}; it is no beginning of that chain, so nothing can be added to it.`,
      );
    }
    const last = events.at(-1)?.event;
    if (last !== undefined) this.sourceEnds.set(shard, { seq: last.seq, hash: last.hash });
  }

  async finish(): Promise<readonly ReplayedHead[]> {
    const { sourceName } = this.options;
    // A folder that was named wrongly has no events, and neither has a new database: the same end, and no chain.
    if (this.sourceEnds.size === 0) {
      throw new IntegrityFault('gap', 0, 0, `${sourceName} holds no event; name the one that has the chain.`);
    }
    const heads = this.restore.heads();
    for (const { shard, seq, hash } of heads) {
      const end = this.sourceEnds.get(shard);
      if (seq === (end?.seq ?? 0) && (end === undefined || hash === end.hash)) continue;
      throw new IntegrityFault(
        'gap',
        shard,
        seq,
        `Shard ${shard}: the event store ends at position ${seq}, ${sourceName} at ${end?.seq ?? 0}; the store was not rebuilt from it, and the mode is left as it is.`,
      );
    }
    await this.options.beforeFinish?.(heads);
    const ends = heads.map(({ shard, seq, hash }) => `${shard}:${seq} ${hash}`).join(', ');
    await this.restore.finish(`The event store was rebuilt from ${sourceName} and verified up to ${ends}.`);
    return heads.map((head) => ({ ...head, storeSeq: head.seq }));
  }

  close(): Promise<void> {
    return this.restore.close();
  }
}
