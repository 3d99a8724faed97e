import { hash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  write,
  writeSync,
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
      make(dir, path);
      const fd = openSync(path, constants.O_RDWR | constants.O_DSYNC);
      const marks = new FileMarks(path, fd, now);
      try {
        marks.readAll();
      } catch (error) {
        closeSync(fd);
        throw error;
      }
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

  /** Makes this process the writer, then reads what the last one has written. */
  private claim(): void {
    writeSync(this.fd, this.owner, 0, SLOT_BYTES, 0);
    this.readAll();
    this.claimed = true;
  }

  /**
   * Reads the whole file, and refuses one that is not as a proxy leaves it. To take it as new would let this kernel's chain
   * be signed from anywhere. A crash spoils one of a shard's two slots at most, that of the record which nobody was told of.
   * @throws SignerError `misconfigured`
   */
  private readAll(): void {
    const { size } = fstatSync(this.fd);
    if (size === 0) throw this.refused('is empty');
    if (size !== SLOTS * SLOT_BYTES) {
      throw this.refused(`is cut short or no file of marks: it has ${size} bytes, not ${SLOTS * SLOT_BYTES}`);
    }
    const file = Buffer.alloc(size);
    if (readSync(this.fd, file, 0, size, 0) !== size) throw this.refused('cannot be read as a whole');
    const slot = (n: number): unknown => valueOf(file.subarray(n * SLOT_BYTES, (n + 1) * SLOT_BYTES));
    const owner = slot(0);
    if (owner === NEVER_WRITTEN || owner === DAMAGED)
      throw this.refused('was changed: it does not say who writes it');
    for (let shard = 0; shard < MAX_SHARDS; shard++)
      this.take(shard, slot(1 + 2 * shard), slot(2 + 2 * shard));
  }

  private take(shard: number, ...slots: readonly unknown[]): void {
    const records = slots.map((slot) => {
      if (slot === NEVER_WRITTEN || slot === DAMAGED) return null;
      const parsed = Record.safeParse(slot);
      return parsed.success && parsed.data.shard === shard ? parsed.data : null;
    });
    const newest = records
      .filter((record) => record !== null)
      .reduce<z.output<typeof Record> | null>(
        (best, record) => (best === null || record.generation > best.generation ? record : best),
        null,
      );
    if (newest === null) {
      if (slots.every((slot) => slot === NEVER_WRITTEN)) return;
      // Its first record alone may be one that a crash tore: nothing was signed on it.
      if (slots[0] !== NEVER_WRITTEN || slots[1] !== DAMAGED) {
        throw this.refused(`was changed: what it says of shard ${shard} cannot be read`);
      }
      return;
    }
    // From the second record on both slots are written.
    if (newest.generation > 1 && slots.includes(NEVER_WRITTEN)) {
      throw this.refused(`was changed: a record of shard ${shard} is gone`);
    }
    const { generation, checkpoint, ...mark } = newest;
    const known = this.shards.get(shard);
    if (known !== undefined && known.generation >= generation) return;
    this.shards.set(shard, { mark, checkpoint, generation, dirty: false });
  }

  private refused(what: string): SignerError {
    return new SignerError(
      'misconfigured',
      `${this.path} ${what}. It is what this proxy remembers of all that it signed, and is never taken as new: bring it back as it was. ` +
        'Where that cannot be, move it away and follow "The proxy knows nothing of this chain" in runbooks/restore-drill.md',
    );
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

/** What a slot holds: its value, or that it was never written, or that it cannot be read. */
const NEVER_WRITTEN = Symbol('never written');
const DAMAGED = Symbol('damaged');
const ZEROS = Buffer.alloc(SLOT_BYTES);

function valueOf(slot: Buffer): unknown {
  if (slot.equals(ZEROS)) return NEVER_WRITTEN;
  const [digest, text] = slot.toString('utf8').split('\n');
  return text !== undefined && hash('sha256', text, 'hex') === digest
    ? (JSON.parse(text) as unknown)
    : DAMAGED;
}

/** Makes the file at its full size, whole or not at all: an empty one is then never a new one. */
function make(dir: string, path: string): void {
  if (existsSync(path)) return;
  const draft = `${path}.${randomUUID()}.draft`;
  const fd = openSync(draft, 'wx', 0o600);
  try {
    const file = Buffer.alloc(SLOTS * SLOT_BYTES);
    slotOf({ owner: null }).copy(file);
    for (let at = 0; at < file.length;) at += writeSync(fd, file, at);
    fsyncSync(fd);
    // Only one of two proxies that start at once makes it.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    closeSync(fd);
    unlinkSync(draft);
  }
  const folder = openSync(dir, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
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
