import { type SignerEntry } from '#evidence';

/** Signs with the manifest key in force; bound to the signing proxy by the app. */
export abstract class ManifestSigner {
  /**
   * @param input the DSSE pre-authentication encoding to sign
   * @returns the key that signed, its version at the backend, and the base64 signature
   * @throws SignerError `signing_unavailable` when no manifest key can sign now
   */
  abstract sign(input: Uint8Array): Promise<{ kid: string; keyVersion: string; signature: string }>;
}

/** The registered signers, retired and compromised ones included. */
export abstract class SignerSource {
  abstract signers(): Promise<SignerEntry[]>;
}

export abstract class SigningOptions {
  /** This kernel's name inside every signature, e.g. `kernel.example.com/prod`. */
  abstract readonly origin: string;
  abstract now(): Date;
}
