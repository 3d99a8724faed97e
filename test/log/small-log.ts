import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import {
  checkpointSigningInput,
  consistencyPath,
  inclusionPath,
  leafHash,
  logName,
  logProofText,
  nodeHash,
  noteKeyText,
  pemOfRawKey,
  signedCheckpoint,
  type Subtree,
  treeRoot,
} from '#evidence';

const WIDTH = 256;

/** A transparency log in memory, made with our formats alone; it can be written to a folder as tiles. */
export class SmallLog {
  readonly entries: Buffer[] = [];
  private readonly hashes: Uint8Array[] = [];
  private readonly raw: Uint8Array;
  private readonly privateKey: KeyObject;

  /** @param like another view of the same log: the same name and key */
  constructor(
    readonly origin: string,
    readonly shard = 0,
    like?: SmallLog,
  ) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.privateKey = like?.privateKey ?? privateKey;
    this.raw = like?.raw ?? publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
  }

  get name(): string {
    return logName(this.origin, this.shard);
  }

  get vkey(): string {
    return noteKeyText({ name: this.name, type: 'ed25519', raw: this.raw });
  }

  get size(): number {
    return this.entries.length;
  }

  /** Appends entries that say `word` and their number. */
  grow(to: number, word = 'event'): this {
    for (let n = this.size; n < to; n++) {
      const entry = Buffer.from(`{"${word}":${n}}`);
      this.entries.push(entry);
      this.hashes.push(leafHash(entry));
    }
    return this;
  }

  /** The signed note of the tree of the first `size` entries. */
  async checkpoint(size = this.size): Promise<string> {
    const head = {
      origin: this.origin,
      shard: this.shard,
      size,
      root: await treeRoot(this.subtree, size),
    };
    return signedCheckpoint(
      head,
      pemOfRawKey(this.raw),
      sign(null, checkpointSigningInput(head), this.privateKey),
    );
  }

  consistency(from: number, to = this.size): Promise<Uint8Array[]> {
    return consistencyPath(this.subtree, from, to);
  }

  /** @param note the checkpoint, with its cosignatures */
  async receipt(index: number, note: string, size = this.size): Promise<string> {
    return logProofText(index, await inclusionPath(this.subtree, index, size), note);
  }

  /** Writes checkpoint, tiles and entry bundles (c2sp.org/tlog-tiles) into a folder. */
  async publish(dir: string, note?: string): Promise<void> {
    const write = async (path: string, bytes: Uint8Array | string): Promise<void> => {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), bytes);
    };
    for (let level = 0, count = this.size; count > 0; level++, count = Math.floor(count / WIDTH)) {
      for (let first = 0; first < count; first += WIDTH) {
        const width = Math.min(WIDTH, count - first);
        const name = tileName(first / WIDTH, width);
        const indexes = Array.from({ length: width }, (_, i) => first + i);
        const hashes = await Promise.all(indexes.map((index) => this.subtree(level * 8, index)));
        await write(`tile/${level}/${name}`, Buffer.concat(hashes));
        if (level > 0) continue;
        const bundle = this.entries.slice(first, first + width).flatMap((entry) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(entry.length);
          return [length, entry];
        });
        await write(`tile/entries/${name}`, Buffer.concat(bundle));
      }
    }
    await write('checkpoint', note ?? (await this.checkpoint()));
  }

  private readonly subtree: Subtree = (level, index) => Promise.resolve(this.hashAt(level, index));

  private hashAt(level: number, index: number): Uint8Array {
    if (level === 0) return this.hashes[index] as Uint8Array;
    return nodeHash(this.hashAt(level - 1, index * 2), this.hashAt(level - 1, index * 2 + 1));
  }
}

function tileName(index: number, width: number): string {
  const name = String(index).padStart(3, '0');
  return width === WIDTH ? name : `${name}.p/${width}`;
}

/** Serves a folder over HTTP on a free port of this machine. */
export class FolderServer {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(dir: string): Promise<FolderServer> {
    const server = createServer((request, response) => {
      readFile(join(dir, decodeURI(request.url ?? '/'))).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FolderServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
