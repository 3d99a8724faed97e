import { HttpClient } from '#platform/http-client';
import { TILE_WIDTH, TileCache, TiledTree, type TileName, tilePath } from '#platform/log';

/** Fault of the server of a followed log; the message says what was asked of it. */
export class RemoteLogError extends Error {}

const HASH_BYTES = 32;
/** Far more than the tiles that a root and a proof need. */
const CACHE_BYTES = 8 * 1024 * 1024;
const MAX_CHECKPOINT_BYTES = 65_536;
const TIMEOUT_MS = 10_000;
const CONNECTIONS = 4;

/** A log that someone else publishes (c2sp.org/tlog-tiles): its checkpoint and the hashes of its tree, as they are served. */
export class RemoteLog {
  private readonly http: HttpClient;
  private readonly prefix: string;

  /**
   * @param url the prefix of the log
   * @param ca authorities (PEM) of its server, where the system does not know them
   */
  constructor(url: string, ca: Buffer | undefined) {
    const { origin, pathname } = new URL(url);
    this.prefix = pathname.replace(/\/+$/, '');
    this.http = new HttpClient({
      origin,
      tls: ca === undefined ? {} : { ca },
      connections: CONNECTIONS,
      connectTimeoutMs: TIMEOUT_MS,
      idleTimeoutMs: TIMEOUT_MS,
    });
  }

  /** The signed note, unread. @throws RemoteLogError */
  async checkpoint(signal: AbortSignal): Promise<string> {
    const bytes = await this.get('checkpoint', MAX_CHECKPOINT_BYTES, signal);
    if (bytes === null) throw new RemoteLogError('the log has no checkpoint (404)');
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new RemoteLogError('its checkpoint is not UTF-8', { cause });
    }
  }

  /**
   * The tree of a size, out of its tiles; each tile is fetched once. Whatever the server answers, a proof made of it is
   * checked against roots that the log has signed.
   */
  tree(size: number, signal: AbortSignal): TiledTree {
    // The tiles of one log: a server may serve others to those who ask next.
    return new TiledTree(
      { shard: 0, hashTile: (name) => this.tile(name, signal) },
      new TileCache(CACHE_BYTES),
      size,
    );
  }

  close(): Promise<void> {
    return this.http.destroy();
  }

  private async tile(name: TileName, signal: AbortSignal): Promise<Uint8Array> {
    const { width } = name;
    const full = tilePath({ ...name, width: TILE_WIDTH });
    const whole = TILE_WIDTH * HASH_BYTES;
    let bytes = await this.get(tilePath(name), whole, signal);
    // A partial tile may be gone when the full one is there (c2sp.org/tlog-tiles, "Partial Tiles").
    if (bytes === null && width < TILE_WIDTH) bytes = await this.get(full, whole, signal);
    if (bytes === null) throw new RemoteLogError(`the log has no ${full} of ${width} hashes (404)`);
    if (bytes.length !== width * HASH_BYTES && bytes.length !== whole) {
      throw new RemoteLogError(`${full} has ${bytes.length} bytes, not those of ${width} hashes`);
    }
    return bytes.subarray(0, width * HASH_BYTES);
  }

  /** The object, or null when there is none. */
  private async get(path: string, maxBytes: number, signal: AbortSignal): Promise<Buffer | null> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const { status, bytes } = await this.http.exchange(
        {
          method: 'GET',
          path: `${this.prefix}/${path}`,
          headers: { 'user-agent': 'illuvrse-kernel witness' },
        },
        { signal: AbortSignal.any([timeout, signal]), maxBytes },
      );
      if (status === 200) return bytes;
      if (status === 404 || status === 410) return null;
      throw new RemoteLogError(`${path} was answered with ${status}`);
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof RemoteLogError) throw cause;
      const why = timeout.aborted ? `no answer within ${TIMEOUT_MS} ms` : (cause as Error).message;
      throw new RemoteLogError(`${path} could not be fetched: ${why}`, { cause });
    }
  }
}
