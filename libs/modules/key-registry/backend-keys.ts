import {
  importPublicKey,
  rawKeyOfPem,
  sha256Hex,
  type SignerEntry,
  type SignerPurpose,
  signerPossessionInput,
} from '#evidence';
import { type KeyInfo, SignerError, type SigningProxyClient } from '#platform/signer';
import { KeyRegistryError } from './domain/key-registry.error';
import { type BackendKey } from './domain/registration';
import { type KmsRequirement } from './kms-requirement';

/** The signing backend's keys, as reported by the signing proxy. */
export class BackendKeys {
  constructor(
    private readonly proxy: Pick<SigningProxyClient, 'keys' | 'makeKey' | 'health' | 'sign'>,
    private readonly requirement: Pick<KmsRequirement, 'whyNot'>,
    private readonly origin: string,
  ) {}

  /** @throws SignerError `signing_unavailable` */
  async keys(): Promise<BackendKey[]> {
    const keys = await this.proxy.keys();
    const why = this.requirement.whyNot(keys);
    if (why !== null) throw new SignerError('signing_unavailable', why);
    return keys;
  }

  /**
   * Makes a key, which signs nothing until it is registered. Asking again for the same returns the same key.
   * @throws KeyRegistryError `key_not_made`, SignerError `signing_unavailable`
   */
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

  /**
   * The counter-signature with which `to` replaces another key (docs/spec/signers.md, section 5).
   * @param replaces the kid of the other key
   * @throws SignerError when the backend does not hold the key, or cannot sign now
   */
  async prove(replaces: string, { signer_kid: kid, public_key_pem }: SignerEntry): Promise<string> {
    const publicKeySha256 = sha256Hex(rawKeyOfPem(public_key_pem));
    const input = signerPossessionInput({ origin: this.origin, replaces, kid, publicKeySha256 });
    const publicKey = importPublicKey(public_key_pem);
    const [signed] = await this.proxy.sign([{ purpose: 'signer-possession', kid, input, publicKey }]);
    if (!signed) throw new SignerError('signing_unavailable', 'The signing proxy returned no signature.');
    return signed.signature;
  }
}
