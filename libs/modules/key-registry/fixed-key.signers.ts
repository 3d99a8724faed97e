import { type KeyObject } from 'node:crypto';
import { importPublicKey } from '#evidence';
import { type EventSigner, EventStoreError } from '#platform/event-store';
import {
  type ProxySignature,
  SignerError,
  type SignatureRequest,
  type SigningProxyClient,
} from '#platform/signer';
import { type BackendKey } from './domain/registration';
import { type SignatureMetrics } from './key.metrics';

/** The name of a key alone is not enough: the key that answers under it must be the intended one. */
export class KnownKeySigner {
  private readonly publicKeys = new Map<string, KeyObject>();

  constructor(private readonly proxy: SigningProxyClient) {}

  sign(
    key: BackendKey,
    purpose: SignatureRequest['purpose'],
    inputs: readonly Uint8Array[],
    known: { committed?: number } = {},
  ): Promise<ProxySignature[]> {
    const { kid } = key;
    const publicKey = this.publicKeyOf(key);
    return this.proxy.sign(inputs.map((input) => ({ purpose, kid, input, publicKey, ...known })));
  }

  private publicKeyOf({ publicKeyPem }: BackendKey): KeyObject {
    const parsed = this.publicKeys.get(publicKeyPem) ?? importPublicKey(publicKeyPem);
    this.publicKeys.set(publicKeyPem, parsed);
    return parsed;
  }
}

/** Signs events with one key, whatever the registry says: only for the registration of the first keys. */
export class FixedKeyEventSigner implements EventSigner {
  private readonly signer: KnownKeySigner;

  constructor(
    private readonly key: BackendKey,
    proxy: SigningProxyClient,
    private readonly metrics: SignatureMetrics,
  ) {
    this.signer = new KnownKeySigner(proxy);
  }

  activeKid(): string {
    return this.key.kid;
  }

  async sign(_kid: string, inputs: Uint8Array[], known: { committed: number }): Promise<string[]> {
    const signed = await noticeBehind(() => this.signer.sign(this.key, 'audit-event', inputs, known));
    this.metrics.onSignatures('audit', signed.length);
    return signed.map(({ signature }) => signature);
  }
}

/** The proxy's high-water mark in the words of the event store. */
async function noticeBehind<T>(sign: () => Promise<T>): Promise<T> {
  try {
    return await sign();
  } catch (error) {
    const { mark } = error instanceof SignerError ? error.details : {};
    if (typeof mark !== 'object' || mark === null) throw error;
    throw new EventStoreError(
      'store_behind',
      (error as SignerError).message,
      { mark: (mark as { seq: number }).seq },
      { cause: error },
    );
  }
}
