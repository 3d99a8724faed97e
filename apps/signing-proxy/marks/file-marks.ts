import { hash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeSync,
  fsyncSync,
  write,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { HighWaterMark, type LastCheckpoint, reasonOf, SignerError, TreeHead } from '#platform/signer';
import {
  type BatchStart,
  judgeStart,
  type MarkVerdict,
  opensSomething,
  signedAtMost,
  unmarked,
} from './high-water-mark';
import { type LogState, MarkStore, type RestoreWindow } from './mark-store';

/** A place in the file: a whole one is written at once, so a torn write spoils nothing else. */
const SLOT_BYTES = 2_048;
/** Most shards that a chain may have. */
const MAX_SHARDS = 1_024;
/** Slot 0 says who writes; then two for each shard, written in turn: one of them is always whole. */
const SLOTS = 1 + 2 * MAX_SHARDS;

const Record = HighWaterMark.extend({
  // Records of earlier versions have neither.
  signed: HighWaterMark.shape.signed.optional(),
  checkpoint: TreeHead.nullable().default(null),
  generation: z.number().int().nonnegative(),
}).transform(({ signed, ...record }) => ({ ...record, signed: signed ?? signedAtMost(record.seq) }));

interface Kept {
  mark: HighWaterMark;
  /** The last checkpoint that was signed. */
  checkpoint: TreeHead | null;
  /** Generation of the newest record in the file. */
  generation: number;
  /** Something is decided that is not in the file yet. */
  dirty: boolean;
}

/**
 * Marks in a file of fixed size, for one proxy: the proxy that began to use it last writes, and the one before signs no
 * more events. Opening alone takes nothing away: a second proxy that ends because its port is taken has used nothing. A
 * record goes into its place with one synchronous write (O_DSYNC) that changes no length, so the file system's journal
 * is not touched; batches that come while one is written share the next write.
 */
export class FileMarks extends MarkStore {
  private readonly shards = new Map<number, Kept>();
  private readonly owner = slotOf({ owner: randomUUID() });
  private readonly ownerRead = Buffer.alloc(SLOT_BYTES);
  private writing: Promise<void> | undefined;
  private waiting: Promise<void> | undefined;
  private claimed = false;
  private closed = false;

  private constructor(
    private readonly path: string,
    private readonly fd: number,
    private readonly now: () => number,
  ) {
    super();
  }

  /**
   * @param dir created when it is missing
   * @throws SignerError `misconfigured` when the file cannot be used
   */
  static open(dir: string, now: () => number = Date.now): FileMarks {
    const path = join(dir, 'high-water-marks');
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC, 0o600);
      const marks = new FileMarks(path, fd, now);
      marks.prepare();
      return marks;
    } catch (error) {
      if (error instanceof SignerError) throw error;
      throw new SignerError(
        'misconfigured',
        `The high-water marks in ${path} (KERNEL_SIGNING_MARKS_DIR) cannot be used: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }

  override async judge(starts: readonly BatchStart[]): Promise<MarkVerdict[]> {
    this.assertOwned();
    const now = this.now();
    const verdicts = starts.map((start) => {
      const kept = this.kept(start.shard);
      const verdict = judgeStart(kept.mark, start, now);
      if (verdict.permitted && moved(kept.mark, verdict.mark)) {
        this.change(start.shard, { mark: verdict.mark });
      }
      return verdict;
    });
    // Also when nothing moved: what the batch rests on may be on its way to the disk for another batch.
    await this.durable();
    return verdicts;
  }

  override async marks(): Promise<HighWaterMark[]> {
    this.assertOwned();
    return await Promise.resolve([...this.shards.values()].map(({ mark }) => mark).sort(byShard));
  }

  override async checkpoints(): Promise<LastCheckpoint[]> {
    this.assertOwned();
    // Not one that a crash could still take back.
    await this.durable();
    return [...this.shards.values()]
      .flatMap(({ mark: { shard }, checkpoint }) => (checkpoint === null ? [] : [{ shard, ...checkpoint }]))
      .sort(byShard);
  }

  override async checkpoint(shard: number, decide: (known: LogState) => TreeHead | null): Promise<void> {
    this.assertOwned();
    const { mark, checkpoint: last } = this.kept(shard);
    const chosen = decide({ signed: mark.signed, last });
    if (chosen !== null && (chosen.size !== last?.size || chosen.root !== last.root)) {
      this.change(shard, { checkpoint: chosen });
    }
    // Also when nothing changed: the same may be on its way to the disk for another request.
    await this.durable();
  }

  override async open({ shard, ...window }: RestoreWindow): Promise<HighWaterMark | null> {
    this.assertOwned();
    const kept = this.kept(shard);
    if (!opensSomething(kept.mark, window.seq)) return null;
    const { mark } = this.change(shard, { mark: { ...kept.mark, window } });
    await this.durable();
    return mark;
  }

  override async close(): Promise<void> {
    if (this.closed) return;
    await this.durable().catch(() => undefined);
    this.closed = true;
    closeSync(this.fd);
  }

  private kept(shard: number): Kept {
    if (shard >= MAX_SHARDS) throw new SignerError('misconfigured', `There is no shard ${shard}`);
    return this.shards.get(shard) ?? { mark: unmarked(shard), checkpoint: null, generation: 0, dirty: false };
  }

  private change(shard: number, change: Partial<Pick<Kept, 'mark' | 'checkpoint'>>): Kept {
    const kept = Object.assign(this.kept(shard), change, { dirty: true });
    this.shards.set(shard, kept);
    return kept;
  }

  /** Settles when everything that is decided by now is on the disk. */
  private durable(): Promise<void> {
    if (this.writing === undefined) {
      if (![...this.shards.values()].some(({ dirty }) => dirty)) return Promise.resolve();
      this.writing = this.flush().finally(() => (this.writing = undefined));
      return this.writing;
    }
    // What is being written was read from memory before this: one more write, shared by all who wait.
    this.waiting ??= this.writing.then(
      () => this.next(),
      () => this.next(),
    );
    return this.waiting;
  }

  private next(): Promise<void> {
    this.waiting = undefined;
    return this.durable();
  }

  private async flush(): Promise<void> {
    const dirty = [...this.shards.values()].filter((kept) => kept.dirty);
    try {
      // All have ended before another flush writes into the same slots.
      const writes = await Promise.allSettled(
        dirty.map(async (kept) => {
          const { shard } = kept.mark;
          const generation = kept.generation + 1;
          kept.dirty = false;
          const slot = 1 + 2 * shard + (generation % 2);
          await writeAt(
            this.fd,
            slotOf({ ...kept.mark, checkpoint: kept.checkpoint, generation }),
            slot * SLOT_BYTES,
          );
          // Only now: should it fail, the next attempt must not write over the record that is whole.
          kept.generation = generation;
        }),
      );
      const failed = writes.find((write) => write.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } catch (error) {
      for (const kept of dirty) kept.dirty = true;
      throw new SignerError(
        'signing_unavailable',
        `The high-water marks cannot be kept in ${this.path}: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }

  /** The file at its full size. */
  private prepare(): void {
    const { size } = statSync(this.path);
    if (size !== 0 && size !== SLOTS * SLOT_BYTES) {
      throw new SignerError('misconfigured', `${this.path} is no file of high-water marks; move it away`);
    }
    if (size === 0) {
      writeSync(this.fd, Buffer.alloc(SLOTS * SLOT_BYTES), 0, SLOTS * SLOT_BYTES, 0);
      fsyncSync(this.fd);
    }
  }

  /** Makes this process the writer, then reads what the last one has written. */
  private claim(): void {
    writeSync(this.fd, this.owner, 0, SLOT_BYTES, 0);
    for (let slot = 1; slot < SLOTS; slot++) this.read(slot);
    this.claimed = true;
  }

  private read(slot: number): void {
    const text = this.slot(slot);
    if (text === null) return;
    const parsed = Record.safeParse(text);
    if (!parsed.success) return;
    const { generation, checkpoint, ...mark } = parsed.data;
    const known = this.shards.get(mark.shard);
    if (known !== undefined && known.generation >= generation) return;
    this.shards.set(mark.shard, { mark, checkpoint, generation, dirty: false });
  }

  /** What a slot holds; null when it was never written or was torn. */
  private slot(slot: number): unknown {
    const bytes = Buffer.alloc(SLOT_BYTES);
    readSync(this.fd, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
    const [digest, text] = bytes.toString('utf8').split('\n');
    if (text === undefined || hash('sha256', text, 'hex') !== digest) return null;
    return JSON.parse(text) as unknown;
  }

  private assertOwned(): void {
    if (this.closed) throw new SignerError('closed', 'The signing proxy is shutting down');
    if (!this.claimed) this.claim();
    readSync(this.fd, this.ownerRead, 0, SLOT_BYTES, 0);
    if (this.ownerRead.equals(this.owner)) return;
    throw new SignerError(
      'signing_unavailable',
      `Another signing proxy uses the high-water marks in ${this.path}; replicas share them in a database (KERNEL_SIGNING_MARKS_DATABASE_URL)`,
    );
  }
}

function moved(before: HighWaterMark, after: HighWaterMark): boolean {
  return before.seq !== after.seq || before.signed !== after.signed;
}

function byShard(a: { shard: number }, b: { shard: number }): number {
  return a.shard - b.shard;
}

function slotOf(value: object): Buffer {
  const text = JSON.stringify(value);
  const bytes = Buffer.alloc(SLOT_BYTES);
  const length = bytes.write(`${hash('sha256', text, 'hex')}\n${text}\n`);
  if (length >= SLOT_BYTES) throw new SignerError('invalid_request', 'The reason is too long to be kept');
  return bytes;
}

function writeAt(fd: number, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, written) => {
      if (error !== null) reject(error);
      else if (written !== bytes.length)
        reject(new Error(`${written} of ${bytes.length} bytes were written`));
      else resolve();
    });
  });
}
