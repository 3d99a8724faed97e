import { LogError } from '../log.error';
import { type LogStorage } from '../storage/log-storage';
import { type TileCache } from '../tree/tile-cache';
import { keepTile, TiledTree } from '../tree/tiled-tree';
import { type CheckpointSigner, type SignedTree } from './checkpoint-signer';
import { Cosigning, type CosigningObserver } from './cosigning';
import { type GrowingLog, type LogSnapshot } from './growing-log';
import { type WitnessPolicy } from './witness';

export interface PublisherObserver extends CosigningObserver {
  /** Objects that were not there before. */
  onObjects?(count: number): void;
  /** Cosignatures that came late could not be added to the published checkpoint; the next one has its own. */
  onNotAdded?(witness: string, error: unknown): void;
}

export interface CheckpointPublisherOptions {
  readonly storage: LogStorage;
  readonly signer: CheckpointSigner;
  readonly policy: WitnessPolicy;
  readonly cosignTimeoutMs: number;
  readonly cache: TileCache;
  readonly observer?: PublisherObserver;
}

export type PublishOutcome =
  | { readonly outcome: 'published'; readonly size: number }
  /** The signer has signed a larger tree: nothing is published before the log has reached it. */
  | { readonly outcome: 'behind'; readonly size: number; readonly signedSize: number };

/** The last tree that was signed, and the log that it was made of when it was made here: that leads to it. */
interface LastSigned {
  readonly tree: SignedTree | null;
  readonly log: GrowingLog | null;
}

interface Published {
  readonly note: string;
  readonly lines: Lines;
  /** Whether this process may still replace what is published. */
  readonly mayPublish: () => boolean;
}

/**
 * Publishes the checkpoints of one shard's log, in the one order in which a crash at any point leaves no hole and no
 * fork: the objects of a tree are durable before its checkpoint is signed, and what is published was signed by a signer
 * that saw the proof that it continues the tree before. A checkpoint that was signed and not published is passed over:
 * the next one continues it.
 */
export class CheckpointPublisher {
  private readonly cosigning: Cosigning;
  /** Null while the signer has to be asked. */
  private last: LastSigned | null = null;
  /** The published note and its cosignatures: those that came late are added to it. */
  private published: Published | null = null;
  private late: Promise<void> = Promise.resolve();

  constructor(private readonly options: CheckpointPublisherOptions) {
    const { policy, cosignTimeoutMs: timeoutMs, observer = {} } = options;
    this.cosigning = new Cosigning({ policy, timeoutMs, observer, onLate: (...late) => this.add(...late) });
  }

  /**
   * Publishes a checkpoint of the log as it is. One call at a time.
   * @param mayPublish asked right before the checkpoint is replaced: false when another process leads by now
   * @throws ArchiveError, LogError; what is published stays as it was
   */
  async publish(log: GrowingLog, mayPublish: () => boolean): Promise<PublishOutcome> {
    const { storage, cache } = this.options;
    const last = (this.last ??= { tree: await this.lastSigned(), log: null });
    // Before anything is stored: a tree that gets no checkpoint needs no partial tiles.
    if (last.tree !== null && last.tree.size > log.size) {
      return { outcome: 'behind', size: log.size, signedSize: last.tree.size };
    }
    const snapshot = log.snapshot();
    await this.store(log, snapshot);
    const { size, root } = snapshot;
    const tree = new TiledTree(storage, cache, size);
    if (last.tree !== null && last.log !== log) await this.assertContinues(tree, root, last.tree);
    const consistency =
      last.tree === null || last.tree.size === size
        ? null
        : { from: last.tree.size, hashes: await tree.consistency(last.tree.size) };
    const note = await this.signed(log, { shard: storage.shard, size, root }, consistency);
    // Later cosignatures go into the new note only, or they would bring back the old one.
    this.published = null;
    const lines = await this.cosigning.collect({ note, size, consistency: (from) => tree.consistency(from) });
    await this.late;
    if (!mayPublish()) {
      throw new LogError('signing_unavailable', 'Another process leads the shard by now; it publishes.');
    }
    await storage.publish(cosigned(note, lines));
    this.published = { note, lines, mayPublish };
    return { outcome: 'published', size };
  }

  /** Begins anew, after another process may have published. */
  begin(): void {
    this.last = null;
    this.published = null;
  }

  /** Whether the checkpoint in the storage is the one that was published here last. */
  async isPublished(): Promise<boolean> {
    await this.late;
    const { published } = this;
    if (published === null) return false;
    return (await this.options.storage.checkpoint()) === cosigned(published.note, published.lines);
  }

  stop(): void {
    this.cosigning.stop();
  }

  /** Settles when every object of the tree is durable. */
  private async store(log: GrowingLog, { partial }: LogSnapshot): Promise<void> {
    const { storage, cache, observer } = this.options;
    const { stored, written } = await log.write();
    const outcomes = await Promise.all(partial.map((object) => storage.put(object)));
    for (const object of [...written, ...partial]) keepTile(cache, storage.shard, object);
    const objects = stored + outcomes.filter((outcome) => outcome === 'stored').length;
    if (objects > 0) observer?.onObjects?.(objects);
  }

  private async signed(
    log: GrowingLog,
    tree: SignedTree,
    consistency: { from: number; hashes: Uint8Array[] } | null,
  ): Promise<string> {
    try {
      const note = await this.options.signer.sign({ ...tree, consistency });
      this.last = { tree, log };
      return note;
    } catch (error) {
      // It may have signed, or another process may have asked it: it says what is last.
      this.last = null;
      throw error;
    }
  }

  private async lastSigned(): Promise<SignedTree | null> {
    const { signer, storage } = this.options;
    const signed = await signer.lastSigned();
    return signed.find(({ shard }) => shard === storage.shard) ?? null;
  }

  /** The chain in hand leads to what was signed before; otherwise it is another chain than the published one. */
  private async assertContinues(tree: TiledTree, root: Uint8Array, last: SignedTree): Promise<void> {
    if (last.size === 0) return;
    const before = last.size === tree.size ? root : await tree.rootAt(last.size);
    if (Buffer.from(before).equals(last.root)) return;
    const { shard } = this.options.storage;
    const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');
    throw new LogError(
      'forked',
      `The log of shard ${shard} has another root at size ${last.size} than the checkpoint that was signed for it: ` +
        `${hex(before)} here, ${hex(last.root)} signed. Nothing is published. Either the events here are not those that were ` +
        'published, or tiles were changed: verify the event store, then follow docs/transparency-log.md, "When the log stops".',
      { shard, size: last.size, found: hex(before), signed: hex(last.root) },
    );
  }

  /** Adds late cosignatures to the published checkpoint while it is the newest. */
  private add(note: string, witness: string, lines: readonly string[]): void {
    this.late = this.late
      .then(async () => {
        const { published } = this;
        // Another process that leads by now may have published a newer one.
        if (published?.note !== note || !published.mayPublish()) return;
        const all = new Map(published.lines).set(witness, lines);
        await this.options.storage.publish(cosigned(note, all));
        // Meanwhile a newer one may be under way, or the publisher have begun anew.
        if (this.published === published) this.published = { ...published, lines: all };
      })
      .catch((error: unknown) => this.options.observer?.onNotAdded?.(witness, error));
  }
}

/** Signature lines by witness. */
type Lines = ReadonlyMap<string, readonly string[]>;

function cosigned(note: string, lines: Lines): string {
  return [note, ...[...lines.values()].flat().map((line) => `${line.trimEnd()}\n`)].join('');
}
