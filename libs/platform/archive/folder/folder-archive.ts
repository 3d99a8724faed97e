import { constants, linkSync, lstatSync } from 'node:fs';
import { access, lstat, mkdir, open, realpath, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256Hex } from '#evidence';
import { type Limiter } from '#platform/resilience';
import { syncFolder } from '#platform/process';
import { DirectorySync } from './directory-sync';
import { errnoOf, folderFailure } from './folder-failure';
import { PartialFiles } from './partial-files';
import { type FolderEntry, sortedEntries } from './sorted-entries';
import {
  type Archive,
  type ArchiveObject,
  type ArchiveObserver,
  DEFAULT_PARALLEL,
  type ListedObject,
  type ListOptions,
  MAX_OBJECT_BYTES,
  type ObjectVersion,
  type PutOutcome,
  type ReplacedObject,
  type Retention,
} from '../archive';
import { assertArchivable, assertArchiveKey, assertReplaceable } from '../archive-key';
import { ArchiveError, differentObject } from '../archive.error';
import { observed } from '../observed-operation';
import { closedError, operationLimit } from '../operation-limit';

export interface FolderArchiveOptions {
  /** Created when it does not exist. One file system; several processes may share it. */
  dir: string;
  /** Concurrent operations. Default {@link DEFAULT_PARALLEL}. */
  parallel?: number;
  observer?: ArchiveObserver;
}

/** The archive's own folders; no key begins with a dot. */
const PARTIAL_DIR = '.incoming';
const HOLDS_DIR = '.holds';
/** Events hold what callers wrote: they are for the account that keeps the archive. */
const FOLDER_MODE = 0o700;
/**
 * A file that vanished between two steps was swept or removed by another process; two attempts suffice, three are
 * generous.
 */
const WRITE_ATTEMPTS = 3;
/** File sizes asked for at once while listing. */
const SIZES_AT_ONCE = 32;
/** Directories remembered as created and flushed. */
const KNOWN_DIRECTORIES = 4_096;

/**
 * An archive in a folder: one read-only file per object, written once.
 *
 * An object is created by link(2), which never replaces a file, from a file whose bytes are already on disk; then its
 * directory is flushed. A crash leaves either the whole object or none. The owner of the folder can still change
 * files: a change is detected, not prevented (`assertProtected` refuses).
 */
export class FolderArchive implements Archive {
  private readonly limiter: Limiter;
  private readonly directories = new DirectorySync();
  private readonly partials: PartialFiles;
  private readonly known = new Set<string>();

  private constructor(
    private readonly root: string,
    private readonly options: FolderArchiveOptions,
  ) {
    this.limiter = operationLimit(options.parallel ?? DEFAULT_PARALLEL);
    this.partials = new PartialFiles(join(root, PARTIAL_DIR));
  }

  /** Opens or creates the folder and removes what a crash left half-written. */
  static async open(options: FolderArchiveOptions): Promise<FolderArchive> {
    try {
      const made = await mkdir(options.dir, { recursive: true, mode: FOLDER_MODE });
      const root = await realpath(options.dir);
      if (made !== undefined) await syncParents(root, await realpath(made));
      const archive = new FolderArchive(root, options);
      await archive.partials.prepare();
      await archive.partials.sweep();
      return archive;
    } catch (error) {
      throw folderFailure(error, `open the archive folder ${options.dir}`);
    }
  }

  async put(object: ArchiveObject): Promise<PutOutcome> {
    assertArchivable(object);
    return this.run('put', `store ${object.key}`, () => this.write(object));
  }

  async putDocument(key: string, bytes: Uint8Array): Promise<PutOutcome> {
    return this.put({ key, bytes, sha256: sha256Hex(bytes) });
  }

  async replace({ key, bytes }: ReplacedObject): Promise<void> {
    assertReplaceable({ key, bytes });
    await this.run('replace', `replace ${key}`, () => this.rewrite(key, bytes));
  }

  async get(key: string): Promise<Uint8Array | null> {
    assertArchiveKey(key);
    return this.run('get', `read ${key}`, () => this.read(key));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    let batch: string[] = [];
    for await (const key of this.keysBelow('', prefix, options.after)) {
      batch.push(key);
      if (batch.length < SIZES_AT_ONCE) continue;
      yield* await this.sizesOf(batch);
      batch = [];
    }
    yield* await this.sizesOf(batch);
  }

  /** A hold is a file beside the archive: it records the decision; nothing in a folder can enforce it. */
  async setLegalHold(key: string, on: boolean): Promise<void> {
    assertArchiveKey(key);
    await this.run('legal_hold', `${on ? 'set' : 'lift'} the legal hold on ${key}`, async () => {
      if (!(await this.has(key))) throw missing(key);
      const hold = this.holdOf(key);
      if (on) {
        await this.ensureDirectory(dirname(hold));
        await this.linkOnce(new Uint8Array(), hold);
      } else {
        await unlink(hold).catch((error: unknown) => {
          if (!isAbsent(error)) throw error;
        });
      }
      await this.directories.sync(dirname(hold)).catch((error: unknown) => {
        // Without any hold ever set, the directory does not exist either.
        if (on || !isAbsent(error)) throw error;
      });
    });
  }

  async retention(key: string): Promise<Retention | null> {
    assertArchiveKey(key);
    return this.run('retention', `read the retention of ${key}`, async () => {
      if (!(await this.has(key))) return null;
      return { mode: null, retainUntil: null, legalHold: (await lstatOrNull(this.holdOf(key))) !== null };
    });
  }

  /** A folder keeps one. */
  async versions(key: string): Promise<ObjectVersion[]> {
    const bytes = await this.get(key);
    return bytes === null ? [] : [{ id: 'null', storedAt: null, sha256: sha256Hex(bytes) }];
  }

  async reach(): Promise<void> {
    try {
      await access(this.root, constants.R_OK | constants.X_OK);
    } catch (error) {
      throw folderFailure(error, `reach the archive ${this.root}`);
    }
  }

  async assertProtected(): Promise<void> {
    await this.run('assert_protected', 'look at the protection', async () => {
      throw new ArchiveError(
        'not_protected',
        `${this.root} is a folder, whose owner can change what is in it. Use a bucket with versioning and object lock.`,
        { missing: ['versioning', 'object lock'] },
      );
    });
  }

  async close(): Promise<void> {
    await this.limiter.close(closedError);
  }

  private async write({ key, bytes, sha256 }: ArchiveObject): Promise<PutOutcome> {
    const path = join(this.root, key);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.ensureDirectory(dirname(path));
        // Read first, so that storing an existing object again costs no write.
        const outcome = !isThere(path) && (await this.linkOnce(bytes, path)) ? 'stored' : 'already';
        if (outcome === 'already') await this.assertSame(key, sha256);
        // Also for an existing file: the process that put it may have died before this.
        await this.directories.sync(dirname(path));
        return outcome;
      } catch (error) {
        if (!isAbsent(error) || attempt >= WRITE_ATTEMPTS) throw error;
        this.known.clear();
      }
    }
  }

  /** rename(2) puts a whole file in the place of the other; a link that lies there is replaced, not followed. */
  private async rewrite(key: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.root, key);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.ensureDirectory(dirname(path));
        await this.assertInside(path, key);
        const partial = await this.partials.write(bytes);
        try {
          await rename(partial, path);
        } catch (error) {
          this.partials.remove(partial);
          throw error;
        }
        await this.directories.sync(dirname(path));
        return;
      } catch (error) {
        if (!isAbsent(error) || attempt >= WRITE_ATTEMPTS) throw error;
        this.known.clear();
      }
    }
  }

  /** False when the file already exists. */
  private async linkOnce(bytes: Uint8Array, path: string): Promise<boolean> {
    const partial = await this.partials.write(bytes);
    try {
      linkSync(partial, path);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      return false;
    } finally {
      this.partials.remove(partial);
    }
  }

  private async assertSame(key: string, sha256: string): Promise<void> {
    const there = await this.read(key, { flush: true });
    if (there === null) {
      if ((await lstatOrNull(join(this.root, key))) !== null) throw blocked(key);
      throw Object.assign(new Error(`${key} vanished`), { code: 'ENOENT' });
    }
    const found = sha256Hex(there);
    if (found !== sha256) throw differentObject(key, sha256, found);
  }

  private async read(key: string, { flush = false } = {}): Promise<Uint8Array | null> {
    const path = join(this.root, key);
    try {
      await this.assertInside(path, key);
      // Not blocking: the file may be a pipe.
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const found = await handle.stat();
        if (!found.isFile()) return null;
        if (found.size > MAX_OBJECT_BYTES) {
          throw new ArchiveError(
            'object_too_large',
            `${key} has ${found.size} bytes; an archived object has at most ${MAX_OBJECT_BYTES}.`,
            { key, size: found.size },
          );
        }
        if (flush) await handle.sync();
        return await handle.readFile();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isAbsent(error)) return null;
      if (errnoOf(error) === 'ELOOP') throw blocked(key);
      throw error;
    }
  }

  private async has(key: string): Promise<boolean> {
    const path = join(this.root, key);
    try {
      await this.assertInside(path, key);
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
    return (await lstatOrNull(path))?.isFile() === true;
  }

  /** Keys have no `..`; a symbolic link to a directory is the only remaining way out of the folder. */
  private async assertInside(path: string, key: string): Promise<void> {
    const dir = dirname(path);
    if ((await realpath(dir)) !== dir) throw blocked(key);
  }

  /** Creates the directory and its parents, each flushed into its own parent, so that none is lost with its objects. */
  private async ensureDirectory(dir: string): Promise<void> {
    if (dir === this.root || this.known.has(dir)) return;
    await this.ensureDirectory(dirname(dir));
    try {
      await mkdir(dir, { mode: FOLDER_MODE });
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      const found = await lstat(dir);
      if (!found.isDirectory()) throw blocked(dir.slice(this.root.length + 1));
    }
    // Also for an existing directory: the process that made it may have died before this.
    await this.directories.sync(dirname(dir));
    if (this.known.size >= KNOWN_DIRECTORIES) this.known.clear();
    this.known.add(dir);
  }

  private holdOf(key: string): string {
    return join(this.root, HOLDS_DIR, key);
  }

  private async *keysBelow(
    below: string,
    prefix: string,
    after: string | undefined,
  ): AsyncGenerator<string, void, undefined> {
    const wanted = (entry: FolderEntry): boolean => {
      if (below === '' && (entry.name === PARTIAL_DIR || entry.name === HOLDS_DIR)) return false;
      const key = below + entry.name;
      if (!entry.isDirectory) return key.startsWith(prefix) && (after === undefined || key > after);
      const stem = `${key}/`;
      return (
        (stem.startsWith(prefix) || prefix.startsWith(stem)) &&
        // Whether anything below can come after `after`.
        (after === undefined || stem > after || after.startsWith(stem))
      );
    };
    try {
      for await (const entry of sortedEntries(join(this.root, below), wanted)) {
        if (entry.isDirectory) yield* this.keysBelow(`${below}${entry.name}/`, prefix, after);
        else yield below + entry.name;
      }
    } catch (error) {
      // A directory that was removed while it was listed holds nothing any more.
      if (below !== '' && isAbsent(error)) return;
      throw folderFailure(error, `list ${below === '' ? 'the archive' : below}`);
    }
  }

  private async sizesOf(keys: string[]): Promise<ListedObject[]> {
    return this.run('list', 'list the archive', async () => {
      const found = await Promise.all(
        keys.map(async (key) => ({ key, size: (await lstatOrNull(join(this.root, key)))?.size })),
      );
      return found.filter((object): object is ListedObject => object.size !== undefined);
    });
  }

  private run<T>(
    operation: Parameters<typeof observed>[1],
    doing: string,
    job: () => Promise<T>,
  ): Promise<T> {
    return this.limiter.run(() =>
      observed(this.options.observer, operation, async () => {
        try {
          return await job();
        } catch (error) {
          throw folderFailure(error, `${doing} in ${this.root}`);
        }
      }),
    );
  }
}

/** Makes the path to a folder durable, from it up to the first folder that was made for it. */
async function syncParents(dir: string, first: string): Promise<void> {
  await syncFolder(dirname(dir));
  if (dir !== first) await syncParents(dirname(dir), first);
}

function isAbsent(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** On this thread: for the usual case of a new object, which it answers in microseconds. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

async function lstatOrNull(path: string): Promise<Awaited<ReturnType<typeof lstat>> | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

function missing(key: string): ArchiveError {
  return new ArchiveError('object_missing', `There is no ${key} in the archive.`, { key });
}

function blocked(key: string): ArchiveError {
  return new ArchiveError(
    'path_escape',
    `On the way to ${key} lies something that is no plain folder or file; the archive follows no links. ` +
      'Find out who put it there, and put the object itself in its place.',
    { key },
  );
}
