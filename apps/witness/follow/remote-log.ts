import { nodeHash, type Subtree } from '#evidence';
import { HttpClient } from '#platform/http-client';

/** Fault of the server of a followed log; the message says what was asked of it. */
export class RemoteLogError extends Error {}

const HASH_BYTES = 32;
const TILE_HEIGHT = 8;
const TILE_WIDTH = 256;
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
   * Hashes of subtrees of the tree of a size, out of its tiles; each tile is fetched once. Whatever the server answers,
   * a proof made of it is checked against roots that the log has signed.
   */
  tree(size: number, signal: AbortSignal): Subtree {
    const tiles = new Map<string, Promise<Uint8Array>>();
    return async (level, index) => {
      const height = level % TILE_HEIGHT;
      const tileLevel = (level - height) / TILE_HEIGHT;
      const first = index * 2 ** height;
      const tile = Math.floor(first / TILE_WIDTH);
      const key = `${tileLevel}/${tile}`;
      let hashes = tiles.get(key);
      if (hashes === undefined) {
        hashes = this.tile(size, tileLevel, tile, signal);
        tiles.set(key, hashes);
      }
      const at = (first - tile * TILE_WIDTH) * HASH_BYTES;
      return perfectRoot((await hashes).subarray(at, at + 2 ** height * HASH_BYTES));
    };
  }

  close(): Promise<void> {
    return this.http.destroy();
  }

  private async tile(size: number, level: number, index: number, signal: AbortSignal): Promise<Uint8Array> {
    const width = Math.min(Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH, TILE_WIDTH);
    const path = `tile/${level}/${tileIndex(index)}`;
    const whole = TILE_WIDTH * HASH_BYTES;
    let bytes = await this.get(width === TILE_WIDTH ? path : `${path}.p/${width}`, whole, signal);
    // A partial tile may be gone when the full one is there (c2sp.org/tlog-tiles, "Partial Tiles").
    if (bytes === null && width < TILE_WIDTH) bytes = await this.get(path, whole, signal);
    if (bytes === null) throw new RemoteLogError(`the log has no ${path} of ${width} hashes (404)`);
    if (bytes.length !== width * HASH_BYTES && bytes.length !== whole) {
      throw new RemoteLogError(`${path} has ${bytes.length} bytes, not those of ${width} hashes`);
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

/** 1234067 is x001/x234/067 (c2sp.org/tlog-tiles). */
function tileIndex(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? [];
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
}

/** Root over hashes whose number is a power of two. */
function perfectRoot(hashes: Uint8Array): Uint8Array {
  if (hashes.length === HASH_BYTES) return hashes;
  const middle = hashes.length / 2;
  return nodeHash(perfectRoot(hashes.subarray(0, middle)), perfectRoot(hashes.subarray(middle)));
}
