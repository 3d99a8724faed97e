import { type TrustedSigner } from '#evidence';

/** The registered signers with their spans, retired and compromised ones included; the key registry has them. */
export abstract class SignerSource {
  /** @param how `fresh`: as in the chain right now, not as a second ago */
  abstract signers(how?: { fresh?: boolean }): Promise<TrustedSigner[]>;
}
