import { leafHash } from '#evidence';
import { type LogObject, type LogStorage } from '../storage/log-storage';
import { bundled } from '../tree/entry-bundle';
import { type HashTile, RightEdge } from '../tree/right-edge';
import { TILE_WIDTH } from '../tree/tile-path';

/** What a checkpoint speaks of, and what has to be durable before it is signed. */
export interface LogSnapshot {
  readonly size: number;
  readonly root: Uint8Array;
  /** Partial tiles and the partial bundle of exactly this tree. */
  readonly partial: readonly LogObject[];
}

/**
 * The log of a shard while it grows: entries are appended in memory, and written as objects. Full tiles and bundles
 * never change; partial ones are written for the trees that get a checkpoint, and for no others.
 */
export class GrowingLog {
  private bundle: Buffer[] = [];
  private pending: LogObject[] = [];
  private writing: Promise<void> = Promise.resolve();
  private pendingSize = 0;

  private constructor(
    private readonly storage: LogStorage,
    private readonly edge: RightEdge,
  ) {}

  static empty(storage: LogStorage): GrowingLog {
    return new GrowingLog(storage, RightEdge.empty());
  }

  /**
   * Goes on from a tree whose tiles are stored.
   * @throws LogError `object_missing`, `damaged_object`
   */
  static async open(storage: LogStorage, size: number): Promise<GrowingLog> {
    const edge = await RightEdge.read(size, async (name) => hashesOf(await storage.hashTile(name)));
    const log = new GrowingLog(storage, edge);
    const width = size % TILE_WIDTH;
    if (width > 0) {
      const index = Math.floor(size / TILE_WIDTH);
      const entries = await storage.entries({ level: 'entries', index, width });
      log.bundle = entries.map(bundled);
    }
    return log;
  }

  get size(): number {
    return this.edge.size;
  }

  /** Bytes of full objects that are not written yet. */
  get pendingBytes(): number {
    return this.pendingSize;
  }

  append(entry: Uint8Array): void {
    this.bundle.push(bundled(entry));
    const full = this.edge.append(leafHash(entry));
    if (full.length === 0) return;
    const index = this.edge.size / TILE_WIDTH - 1;
    this.add({ name: { level: 'entries', index, width: TILE_WIDTH }, bytes: Buffer.concat(this.bundle) });
    this.bundle = [];
    for (const tile of full) this.add(objectOf(tile));
  }

  /** The tree as it is now. */
  snapshot(): LogSnapshot {
    const { size } = this.edge;
    const partial = this.edge.partialTiles().map(objectOf);
    const width = this.bundle.length;
    if (width > 0) {
      const name = { level: 'entries', index: Math.floor(size / TILE_WIDTH), width } as const;
      partial.unshift({ name, bytes: Buffer.concat(this.bundle) });
    }
    return { size, root: this.edge.root(), partial };
  }

  /**
   * Settles when every full object up to now is durable. What fails stays to be written by the next call.
   * @returns the objects, and how many of them were not there before
   * @throws ArchiveError
   */
  async write(): Promise<{ stored: number; written: readonly LogObject[] }> {
    let stored = 0;
    let written: readonly LogObject[] = [];
    const turn = this.writing.then(async () => {
      const objects = this.pending;
      this.pending = [];
      this.pendingSize = 0;
      const done = await Promise.allSettled(objects.map((object) => this.storage.put(object)));
      stored = done.filter((one) => one.status === 'fulfilled' && one.value === 'stored').length;
      const failed = done.flatMap((one, i) => (one.status === 'rejected' ? [i] : []));
      for (const i of failed) this.add(objects[i] as LogObject);
      written = objects;
      if (failed.length > 0) throw (done[failed[0] as number] as PromiseRejectedResult).reason;
    });
    this.writing = turn.catch(() => undefined);
    await turn;
    return { stored, written };
  }

  private add(object: LogObject): void {
    this.pending.push(object);
    this.pendingSize += object.bytes.length;
  }
}

function objectOf({ name, hashes }: HashTile): LogObject {
  return { name, bytes: Buffer.concat(hashes) };
}

function hashesOf(tile: Uint8Array): Uint8Array[] {
  return Array.from({ length: tile.length / 32 }, (_, i) => tile.slice(i * 32, (i + 1) * 32));
}
