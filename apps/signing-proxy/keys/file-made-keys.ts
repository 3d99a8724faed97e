import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '#platform/process';
import { reasonOf, SignerError } from '#platform/signer';
import { MadeKey, MadeKeys } from './made-keys';

const KeysFile = z.strictObject({ v: z.literal(1), keys: z.array(MadeKey) });

/**
 * Made keys in a file beside the marks, for a single proxy. It is written aside and renamed: a crash leaves the old one
 * or the new one.
 */
export class FileMadeKeys extends MadeKeys {
  private readonly path: string;

  constructor(private readonly dir: string) {
    super();
    this.path = join(dir, 'made-keys.json');
  }

  override async all(): Promise<MadeKey[]> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw this.unusable('read', error);
    }
    try {
      return KeysFile.parse(JSON.parse(text)).keys;
    } catch (error) {
      throw this.unusable('understood', error);
    }
  }

  /** There is no other process, and this one makes one key at a time. */
  override exclusively<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  override async begin(key: MadeKey): Promise<void> {
    await this.write([...(await this.all()), key]);
  }

  override async complete(kid: string, publicKeyPem: string): Promise<void> {
    const keys = await this.all();
    await this.write(keys.map((key) => (key.kid === kid ? { ...key, publicKeyPem } : key)));
  }

  override async close(): Promise<void> {
    // Nothing is open between calls.
  }

  private async write(keys: MadeKey[]): Promise<void> {
    try {
      await mkdir(this.dir, { recursive: true, mode: 0o700 });
      await replaceFile(this.path, `${JSON.stringify({ v: 1, keys }, null, 2)}\n`);
    } catch (error) {
      throw this.unusable('written', error);
    }
  }

  private unusable(what: string, cause: unknown): SignerError {
    return new SignerError(
      'signing_unavailable',
      `The list of keys that were made, ${this.path}, cannot be ${what}: ${reasonOf(cause)}. Bring it back as it was: without it the keys in it are not found again.`,
      {},
      { cause },
    );
  }
}
