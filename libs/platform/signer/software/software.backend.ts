import { sign as signEd25519, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { failingKey, selfTestKey } from '../key-self-test';
import { SignerError } from '../signer.error';
import {
  isKeyName,
  type BackendHealth,
  type KeyInfo,
  type KeyMaker,
  type KeyRequest,
  assertAsMade,
  sameKey,
  type SigningBackend,
} from '../signing-backend';
import { ensureKeyFolder, keyFilePath, loadKeyOf, loadOrCreateKey, type LoadedKey } from './key-file';

export interface SoftwareBackendOptions {
  /** Folder of the key files; created with 0700 when it is missing. */
  dir: string;
  keys: KeyRequest[];
  /** Whether NODE_ENV is production. A private key in a file is a development convenience, so it is refused there. */
  production: boolean;
  now?: () => Date;
}

/**
 * Number of messages from which the callback API pays. A signature takes 38 us of processor time on this thread and 54
 * us through the thread pool: on two idle cores a batch of 64 is signed in 1.2 ms by the pool and in 2.0 ms here, on
 * busy ones the pool is the slower one.
 */
const THREAD_POOL_FROM = 64;

/** Ed25519 keys in files, used by node:crypto. For development and tests. */
export class SoftwareBackend implements SigningBackend {
  readonly name = 'software';
  readonly maker: KeyMaker;
  private closed = false;
  private readonly loaded = new Map<string, LoadedKey>();

  private constructor(private readonly options: SoftwareBackendOptions) {
    const { dir } = options;
    this.maker = {
      has: async (kid) => existsSync(keyFilePath(dir, kid)),
      make: (request) => this.admitted(request, () => this.loadOrCreate(request)),
      take: (request) => this.admitted(request, () => loadKeyOf(dir, request)),
    };
  }

  /**
   * Loads or makes the keys and self-tests each of them.
   * @throws SignerError `refused_in_production`, `key_refused`, `invalid_request`
   */
  static async open(options: SoftwareBackendOptions): Promise<SoftwareBackend> {
    if (options.production) {
      throw new SignerError(
        'refused_in_production',
        'The software signer keeps private keys in files and is refused when NODE_ENV=production: ' +
          'choose a signing backend whose keys cannot be copied (pkcs11 or a KMS).',
      );
    }
    await ensureKeyFolder(options.dir);
    const backend = new SoftwareBackend(options);
    for (const request of options.keys) {
      await backend.admitted(request, () => backend.loadOrCreate(request));
    }
    return backend;
  }

  keys(): readonly KeyInfo[] {
    return [...this.loaded.values()].map((key) => this.infoOf(key));
  }

  async sign(kid: string, messages: readonly Uint8Array[]): Promise<Uint8Array[]> {
    if (this.closed) throw new SignerError('closed', 'The software signer is closed');
    const key = this.loaded.get(kid);
    if (!key) throw new SignerError('unknown_key', `The software signer has no key ${kid}`, { kid });
    if (messages.length < THREAD_POOL_FROM) {
      return messages.map((message) => signEd25519(null, message, key.privateKey));
    }
    return Promise.all(messages.map((message) => signInThreadPool(message, key.privateKey)));
  }

  async health(): Promise<BackendHealth> {
    if (this.closed) return { ok: false, detail: 'closed' };
    const failing = await failingKey(this.loaded.values(), (kid, messages) => this.sign(kid, messages));
    if (failing !== undefined) return { ok: false, detail: failing };
    return { ok: true, detail: `${this.loaded.size} keys in files, for development only` };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private loadOrCreate(request: KeyRequest): Promise<LoadedKey> {
    return loadOrCreateKey(this.options.dir, request, (this.options.now ?? (() => new Date()))());
  }

  private async admitted(request: KeyRequest, load: () => Promise<LoadedKey | null>): Promise<KeyInfo> {
    const { kid } = request;
    if (!isKeyName(kid)) throw new SignerError('invalid_request', `"${kid}" cannot be the name of a key`);
    const held = this.loaded.get(kid);
    if (held) return sameKey(this.infoOf(held), request);
    const key = await load();
    if (!key) throw new SignerError('unknown_key', `There is no key file of ${kid}`, { kid });
    await selfTestKey({
      kid,
      publicKeyPem: key.publicKeyPem,
      sign: async (message) => signEd25519(null, message, key.privateKey),
    });
    const info = this.infoOf(key);
    assertAsMade(info, request);
    this.loaded.set(kid, key);
    return info;
  }

  private infoOf({ kid, publicKeyPem, purposes, createdAt }: LoadedKey): KeyInfo {
    return {
      kid,
      keyVersion: '1',
      algorithm: 'ed25519',
      publicKeyPem,
      purposes,
      backend: this.name,
      protection: 'software',
      createdAt,
    };
  }
}

function signInThreadPool(message: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    signEd25519(null, message, key, (error, signature) => (error ? reject(error) : resolve(signature)));
  });
}
