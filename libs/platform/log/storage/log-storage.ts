import { type Archive, type ServedAs } from '#platform/archive';
import { sha256Hex } from '#evidence';
import { LogError } from '../log.error';
import { entriesOf } from '../tree/entry-bundle';
import { HASH_BYTES, TILE_WIDTH, type TileName, tilePath } from '../tree/tile-path';

/** An immutable object of a log. */
export interface LogObject {
  readonly name: TileName;
  readonly bytes: Uint8Array;
}

const IMMUTABLE: ServedAs = {
  contentType: 'application/octet-stream',
  cacheControl: 'public, max-age=31536000, immutable',
};
const CHECKPOINT: ServedAs = { contentType: 'text/plain; charset=utf-8', cacheControl: 'no-cache' };

/** How a web server answers with an object of the log (c2sp.org/tlog-tiles). */
export function servedAs(what: TileName | 'checkpoint'): ServedAs {
  return what === 'checkpoint' ? CHECKPOINT : IMMUTABLE;
}

/**
 * The objects of a shard's log, `log/<shard>/...` beside the archive. Tiles and bundles are written once, and an equal
 * one that is there already is success; the checkpoint alone is replaced. Full tiles and bundles are locked like archived
 * events; partial ones are not, since full ones take their place.
 */
export class LogStorage {
  private readonly prefix: string;

  constructor(
    private readonly archive: Pick<Archive, 'put' | 'get' | 'replace'>,
    readonly shard: number,
  ) {
    this.prefix = `log/${shard}/`;
  }

  /** Settles when the object is durable. @throws ArchiveError `different_object` */
  async put({ name, bytes }: LogObject): Promise<'stored' | 'already'> {
    return this.archive.put({
      key: this.prefix + tilePath(name),
      bytes,
      sha256: sha256Hex(bytes),
      locked: name.width === TILE_WIDTH,
      served: IMMUTABLE,
    });
  }

  /** The object, or null; a partial one out of the full one when that has taken its place. */
  async get(name: TileName): Promise<Uint8Array | null> {
    const bytes = await this.archive.get(this.prefix + tilePath(name));
    if (bytes !== null) return this.checked(name, bytes);
    if (name.width === TILE_WIDTH) return null;
    const full = await this.get({ ...name, width: TILE_WIDTH });
    if (full === null) return null;
    if (name.level !== 'entries') return full.subarray(0, name.width * HASH_BYTES);
    const entries = (entriesOf(full) ?? []).slice(0, name.width);
    return full.subarray(
      0,
      entries.reduce((length, entry) => length + 2 + entry.length, 0),
    );
  }

  /** @throws LogError `object_missing`, `damaged_object` */
  async hashTile(name: TileName): Promise<Uint8Array> {
    return (await this.get(name)) ?? this.missing(name);
  }

  /** The entries of a bundle. @throws LogError `object_missing`, `damaged_object` */
  async entries(name: TileName): Promise<Uint8Array[]> {
    return entriesOf((await this.get(name)) ?? this.missing(name)) ?? [];
  }

  /** The published checkpoint, a signed note; null before the first. */
  async checkpoint(): Promise<string | null> {
    const bytes = await this.archive.get(`${this.prefix}checkpoint`);
    return bytes === null ? null : Buffer.from(bytes).toString('utf8');
  }

  /** Settles when the checkpoint is durable. */
  async publish(checkpoint: string): Promise<void> {
    const bytes = Buffer.from(checkpoint, 'utf8');
    await this.archive.replace({ key: `${this.prefix}checkpoint`, bytes, served: CHECKPOINT });
  }

  private checked(name: TileName, bytes: Uint8Array): Uint8Array {
    const sound =
      name.level === 'entries'
        ? entriesOf(bytes)?.length === name.width
        : bytes.length === name.width * HASH_BYTES;
    if (sound) return bytes;
    throw new LogError(
      'damaged_object',
      `${this.prefix}${tilePath(name)} has ${bytes.length} bytes that are no ${name.width} ${name.level === 'entries' ? 'entries' : 'hashes'}. ` +
        'Find out who changed it; docs/transparency-log.md says how the log is made again from the archive.',
      { key: this.prefix + tilePath(name) },
    );
  }

  private missing(name: TileName): never {
    throw new LogError(
      'object_missing',
      `${this.prefix}${tilePath(name)} is missing, which the published log needs. ` +
        'docs/transparency-log.md says how the log is made again from the archive.',
      { key: this.prefix + tilePath(name) },
    );
  }
}
