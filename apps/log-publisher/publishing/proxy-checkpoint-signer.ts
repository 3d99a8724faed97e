import {
  checkpointSigningInput,
  importPublicKey,
  signedCheckpoint,
  type SignerEntry,
  verifyEd25519,
} from '#evidence';
import { type CheckpointRequest, type CheckpointSigner, LogError, type SignedTree } from '#platform/log';
import { registeredCheckpointKey, SignerError, type SigningProxyClient } from '#platform/signer';

/** How long the key is used before registry and proxy are asked again which it is. */
const KEY_MS = 10_000;

/** Has checkpoints signed by the signing proxy, with the registered checkpoint key that it holds. */
export class ProxyCheckpointSigner implements CheckpointSigner {
  private key: { readonly entry: SignerEntry; readonly readAt: number } | null = null;

  constructor(
    private readonly origin: string,
    private readonly proxy: Pick<SigningProxyClient, 'keys' | 'lastCheckpoints' | 'signCheckpoint'>,
    /** Returns the current registry, in the order of registration. */
    private readonly registered: () => Promise<readonly SignerEntry[]>,
    /** Milliseconds of a clock that never goes back. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  async lastSigned(): Promise<SignedTree[]> {
    const last = await explained(() => this.proxy.lastCheckpoints());
    return last.map(({ shard, size, root }) => ({ shard, size, root: Buffer.from(root, 'base64') }));
  }

  async sign(request: CheckpointRequest): Promise<string> {
    try {
      return await this.signWith(request);
    } catch (error) {
      // It may be the key that is wrong by now.
      this.key = null;
      throw error;
    }
  }

  private async signWith({ shard, size, root, consistency }: CheckpointRequest): Promise<string> {
    return explained(async () => {
      const key = await this.currentKey();
      const answer = await this.proxy.signCheckpoint({
        kid: key.signer_kid,
        shard,
        size,
        root: base64(root),
        consistency: consistency && { from: consistency.from, hashes: consistency.hashes.map(base64) },
      });
      const checkpoint = { origin: this.origin, shard, size, root };
      const signature = Buffer.from(answer.signature, 'base64');
      const publicKey = importPublicKey(key.public_key_pem);
      // What is published is irreversible, so it must verify first.
      if (verifyEd25519(publicKey, checkpointSigningInput(checkpoint), signature)) {
        return signedCheckpoint(checkpoint, key.public_key_pem, signature);
      }
      throw new LogError(
        'signing_unavailable',
        `The signing proxy signs with another key than the one registered as ${key.signer_kid}; give it back that key.`,
      );
    });
  }

  /** The same for all shards. */
  private async currentKey(): Promise<SignerEntry> {
    if (this.key !== null && this.now() - this.key.readAt < KEY_MS) return this.key.entry;
    const readAt = this.now();
    const [registered, held] = await Promise.all([this.registered(), this.proxy.keys()]);
    this.key = { entry: registeredCheckpointKey(registered, held), readAt };
    return this.key.entry;
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** The signer's own words, with what they mean to the log. */
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SignerError)) throw error;
    const { error: word, size, root } = error.details as { error?: string; size?: number; root?: string };
    const code =
      word === 'checkpoint_conflict'
        ? 'checkpoint_conflict'
        : error.code === 'signing_refused'
          ? 'signing_refused'
          : 'signing_unavailable';
    throw new LogError(code, error.message, { word, size, root }, { cause: error });
  }
}
