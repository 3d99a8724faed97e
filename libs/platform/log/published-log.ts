import { logProofText, parseSignedCheckpoint } from '#evidence';
import { type Archive } from '#platform/archive';
import { LogError } from './log.error';
import { LogStorage } from './storage/log-storage';
import { TileCache } from './tree/tile-cache';
import { TiledTree } from './tree/tiled-tree';

/** 2,000 full tiles: every proof of the newest half a million events out of memory. */
export const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;
/** How long a checkpoint is used without a look whether there is a newer one. */
const FRESH_MS = 1_000;

/** Proofs that events are in the tree of one published checkpoint, as texts (c2sp.org/tlog-proof). */
export interface PublishedProofs {
  /** Size of the checkpoint's tree. */
  readonly size: number;
  readonly proofs: readonly string[];
}

interface ReadCheckpoint {
  readonly note: string;
  readonly size: number;
  readonly readAt: number;
}

/** The published log, for those who read it: proofs up to the newest checkpoint that is published. */
export class PublishedLog {
  private readonly storages = new Map<number, LogStorage>();
  private readonly checkpoints = new Map<number, ReadCheckpoint>();
  private readonly reading = new Map<number, Promise<ReadCheckpoint | null>>();
  private readonly cache: TileCache;

  constructor(
    /** Null where none is configured: then nothing is published as far as is known. */
    private readonly archive: Archive | null,
    cacheBytes = DEFAULT_CACHE_BYTES,
  ) {
    this.cache = new TileCache(cacheBytes);
  }

  /** @throws LogError `not_configured` */
  storage(shard: number): LogStorage {
    if (this.archive === null) {
      throw new LogError(
        'not_configured',
        'This kernel is not told where the log is: set KERNEL_ARCHIVE and what belongs to it.',
      );
    }
    let storage = this.storages.get(shard);
    if (storage === undefined) {
      storage = new LogStorage(this.archive, shard);
      this.storages.set(shard, storage);
    }
    return storage;
  }

  /** Size of the published tree; 0 before the first checkpoint. @throws ArchiveError, EvidenceError */
  async size(shard: number): Promise<number> {
    return (await this.checkpoint(shard, 0))?.size ?? 0;
  }

  /**
   * The proofs for events of a shard, all up to one checkpoint; null when that is not published yet.
   * @throws ArchiveError, LogError, EvidenceError `invalid_checkpoint`
   */
  async proofs(shard: number, seqs: readonly number[]): Promise<PublishedProofs | null> {
    const needed = Math.max(...seqs);
    const checkpoint = await this.checkpoint(shard, needed);
    if (checkpoint === null || checkpoint.size < needed) return null;
    const { note, size } = checkpoint;
    const tree = new TiledTree(this.storage(shard), this.cache, size);
    const proofs = await Promise.all(
      seqs.map(async (seq) => logProofText(seq - 1, await tree.inclusion(seq - 1), note)),
    );
    return { size, proofs };
  }

  /** A checkpoint that is fresh, or one of at least that size; read once at a time. */
  private async checkpoint(shard: number, size: number): Promise<ReadCheckpoint | null> {
    const known = this.checkpoints.get(shard);
    if (known !== undefined && known.size >= size && performance.now() - known.readAt < FRESH_MS)
      return known;
    // One that is under way may have begun before the checkpoint that is wanted was published.
    const running = await this.reading.get(shard);
    if (running !== undefined && running !== null && running.size >= size) return running;
    let reading = this.reading.get(shard);
    if (reading === undefined) {
      reading = this.read(shard).finally(() => this.reading.delete(shard));
      this.reading.set(shard, reading);
    }
    return reading;
  }

  private async read(shard: number): Promise<ReadCheckpoint | null> {
    const readAt = performance.now();
    const note = await this.storage(shard).checkpoint();
    if (note === null) return null;
    const checkpoint = { note, size: parseSignedCheckpoint(note).size, readAt };
    this.checkpoints.set(shard, checkpoint);
    return checkpoint;
  }
}
