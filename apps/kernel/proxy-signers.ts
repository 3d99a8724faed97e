import { type KeyObject } from 'node:crypto';
import {
  checkpointSigningInput,
  importPublicKey,
  type LogCheckpoint,
  rawKeyOfPem,
  sha256Hex,
  signedCheckpoint,
  type SignerEntry,
  type SignerPurpose,
  signerPossessionInput,
} from '#evidence';
import { type EventSigner, EventStoreError } from '#platform/event-store';
import { CheckpointSigner, type KeyPossession } from '#modules/governance';
import { type BackendKey, BackendKeys, KeyRegistryError, type SigningKeys } from '#modules/key-registry';
import {
  type KeyInfo,
  ManifestSigner,
  SignerError,
  type SignatureRequest,
  type SigningProxyClient,
  type ProxySignature,
} from '#platform/signer';
import { type AppendMetrics } from './append-metrics';
import { type KmsRequirement } from './kms-requirement';

/** The registry's view of the signing proxy. */
export class ProxyKeys extends BackendKeys {
  private readonly possession: ProxyKeyPossession;

  constructor(
    private readonly proxy: Pick<SigningProxyClient, 'keys' | 'makeKey' | 'health' | 'sign'>,
    private readonly requirement: Pick<KmsRequirement, 'whyNot'>,
    origin: string,
  ) {
    super();
    this.possession = new ProxyKeyPossession(proxy, origin);
  }

  provePossession(replaces: string, to: SignerEntry): Promise<string> {
    return this.possession.prove(replaces, to);
  }

  async keys(): Promise<BackendKey[]> {
    const keys = await this.proxy.keys();
    const why = this.requirement.whyNot(keys);
    if (why !== null) throw new SignerError('signing_unavailable', why);
    return keys;
  }

  async make(kid: string, purposes: readonly SignerPurpose[]): Promise<BackendKey> {
    let key: KeyInfo;
    try {
      key = await this.proxy.makeKey(kid, purposes);
    } catch (error) {
      if (!(error instanceof SignerError && error.code === 'key_refused')) throw error;
      throw new KeyRegistryError('key_not_made', `${error.message}.`, { proxy: error.details['error'] });
    }
    const why = this.requirement.whyNot([key]);
    if (why === null) return key;
    throw new SignerError('signing_unavailable', why);
  }

  async health(): Promise<{ ok: boolean; detail: string }> {
    const { ok, backends } = await this.proxy.health();
    return { ok, detail: backends.map(({ name, detail }) => `${name}: ${detail}`).join('; ') };
  }
}

/** A key by its name alone is not enough: what answers under the name must be the key that is meant. */
class KnownKeySigner {
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

/** Has a key that the registry does not know yet say that the signing proxy holds it. */
export class ProxyKeyPossession implements KeyPossession {
  constructor(
    private readonly proxy: Pick<SigningProxyClient, 'sign'>,
    private readonly origin: string,
  ) {}

  async prove(replaces: string, { signer_kid: kid, public_key_pem }: SignerEntry): Promise<string> {
    const publicKeySha256 = sha256Hex(rawKeyOfPem(public_key_pem));
    const input = signerPossessionInput({ origin: this.origin, replaces, kid, publicKeySha256 });
    const publicKey = importPublicKey(public_key_pem);
    const [signed] = await this.proxy.sign([{ purpose: 'signer-possession', kid, input, publicKey }]);
    if (!signed) throw new SignerError('signing_unavailable', 'The signing proxy returned no signature.');
    return signed.signature;
  }
}

/** Signs events with one key, whatever the registry says: for the registration of the first keys alone. */
export class FixedKeyEventSigner implements EventSigner {
  private readonly signer: KnownKeySigner;

  constructor(
    private readonly key: BackendKey,
    proxy: SigningProxyClient,
    private readonly metrics: AppendMetrics,
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

/** Signs events with the registered audit key in force. */
export class RegisteredKeyEventSigner implements EventSigner {
  /** Bound once both exist: the keys are folded from the store that signs with them. */
  keys: SigningKeys | undefined;
  /** Keys named to the store, by kid: a group keeps the key it was numbered with when another comes into force. */
  private readonly named = new Map<string, FixedKeyEventSigner>();

  constructor(
    private readonly proxy: SigningProxyClient,
    private readonly metrics: AppendMetrics,
  ) {}

  async activeKid(after: string | null): Promise<string> {
    if (!this.keys) throw new SignerError('signing_unavailable', 'The kernel is still starting.');
    const key = after === null ? this.keys.activeKey('audit') : await this.keys.keyAfter('audit', after);
    if (!this.named.has(key.kid)) {
      this.named.set(key.kid, new FixedKeyEventSigner(key, this.proxy, this.metrics));
    }
    return key.kid;
  }

  async keyEnded(): Promise<void> {
    await this.keys?.lookAgain();
  }

  async sign(kid: string, inputs: Uint8Array[], known: { committed: number }): Promise<string[]> {
    const signer = this.named.get(kid);
    if (!signer) throw new SignerError('signing_unavailable', `Key ${kid} was never in force here.`);
    return noticeWrongKey(this.keys, () => signer.sign(kid, inputs, known));
  }
}

/** Signs manifests with the registered manifest key in force. */
export class ProxyManifestSigner extends ManifestSigner {
  private readonly signer: KnownKeySigner;

  constructor(
    proxy: SigningProxyClient,
    private readonly keys: SigningKeys,
    private readonly metrics: AppendMetrics,
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

/** Signs checkpoints of the log with the registered checkpoint key in force. */
export class ProxyCheckpointSigner extends CheckpointSigner {
  private readonly signer: KnownKeySigner;

  constructor(
    proxy: SigningProxyClient,
    private readonly keys: SigningKeys,
  ) {
    super();
    this.signer = new KnownKeySigner(proxy);
  }

  async sign(checkpoint: LogCheckpoint): Promise<string> {
    const key = this.keys.activeKey('checkpoint');
    const input = checkpointSigningInput(checkpoint);
    const [signed] = await noticeWrongKey(this.keys, () => this.signer.sign(key, 'log-checkpoint', [input]));
    if (!signed) throw new SignerError('signing_unavailable', 'The signing proxy returned no signature.');
    return signedCheckpoint(checkpoint, key.publicKeyPem, Buffer.from(signed.signature, 'base64'));
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

/** Has backend and registry compared anew when a signature turns out to be by another key, so that /ready says why. */
async function noticeWrongKey<T>(keys: SigningKeys | undefined, sign: () => Promise<T>): Promise<T> {
  try {
    return await sign();
  } catch (error) {
    if (error instanceof SignerError && error.details['reason'] === 'wrong_key')
      keys?.distrust(error.message);
    throw error;
  }
}
