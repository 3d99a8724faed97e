import { Injectable } from '@nestjs/common';
import { type EventSigner } from '#platform/event-store';
import { ManifestSigner, SignerError, SigningProxyClient } from '#platform/signer';
import { FixedKeyEventSigner, KnownKeySigner } from './fixed-key.signers';
import { SignatureMetrics } from './key.metrics';
import { SigningKeys } from './signing-keys';

/** Signs events with the registered audit key in force. */
@Injectable()
export class RegisteredKeyEventSigner implements EventSigner {
  /** Bound once both exist: the keys are folded from the store that signs with them. */
  keys: SigningKeys | undefined;
  /** Keys named to the store, by kid: a group keeps the key it was numbered with when another becomes active. */
  private readonly named = new Map<string, FixedKeyEventSigner>();

  constructor(
    private readonly proxy: SigningProxyClient,
    private readonly metrics: SignatureMetrics,
  ) {}

  async activeKid(after: string | null): Promise<string> {
    if (!this.keys) throw new SignerError('signing_unavailable', 'The kernel is still starting.');
    const key = after === null ? this.keys.activeKey('audit') : await this.keys.keyAfter('audit', after);
    if (!this.named.has(key.kid)) {
      this.named.set(key.kid, new FixedKeyEventSigner(key, this.proxy, this.metrics));
    }
    return key.kid;
  }

  async lookUpKeys(): Promise<void> {
    if (!this.keys) throw new SignerError('signing_unavailable', 'The kernel is still starting.');
    await this.keys.knowLatest();
  }

  async sign(kid: string, inputs: Uint8Array[], known: { committed: number }): Promise<string[]> {
    const signer = this.named.get(kid);
    if (!signer) throw new SignerError('signing_unavailable', `Key ${kid} was never in force here.`);
    return noticeWrongKey(this.keys, () => signer.sign(kid, inputs, known));
  }
}

/** Signs manifests with the registered manifest key in force. */
@Injectable()
export class ProxyManifestSigner extends ManifestSigner {
  private readonly signer: KnownKeySigner;

  constructor(
    proxy: SigningProxyClient,
    private readonly keys: SigningKeys,
    private readonly metrics: SignatureMetrics,
  ) {
    super();
    this.signer = new KnownKeySigner(proxy);
  }

  async sign(input: Uint8Array): Promise<{ kid: string; keyVersion: string; signature: string }> {
    const key = this.keys.activeKey('manifest');
    const [signed] = await noticeWrongKey(this.keys, () => this.signer.sign(key, 'manifest', [input]));
    if (!signed) throw new SignerError('signing_unavailable', 'The signing proxy returned no signature.');
    this.metrics.onSignatures('manifest', 1);
    return signed;
  }
}

/** Compares backend and registry again when a signature turns out to be by another key, so that /ready says why. */
async function noticeWrongKey<T>(keys: SigningKeys | undefined, sign: () => Promise<T>): Promise<T> {
  try {
    return await sign();
  } catch (error) {
    if (error instanceof SignerError && error.details['reason'] === 'wrong_key')
      keys?.distrust(error.message);
    throw error;
  }
}
