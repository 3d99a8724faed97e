import { base64Url } from '#evidence';

/** What a kernel hands to a page for a signature by a passkey (contract, `credentialRequest`). */
export interface AssertionRequest {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials: readonly { readonly id: string }[];
  readonly timeout: number;
}

/** The assertion as it goes where a signature does. */
export interface Assertion {
  readonly credentialId: string;
  readonly clientDataJSON: string;
  readonly authenticatorData: string;
  readonly signature: string;
}

/** A new credential as the kernel takes it, with what its authenticator says of it. */
export interface Made {
  readonly response: {
    id: string;
    rawId: string;
    type: 'public-key';
    response: { clientDataJSON: string; attestationObject: string };
  };
  readonly flags: Flags;
}

/** Flags of authenticator data (WebAuthn Level 3, section 6.1). */
export interface Flags {
  /** Somebody was verified: by a PIN, a finger, a face. */
  readonly userVerified: boolean;
  /** BE: it may be copied to other devices of the person. */
  readonly backupEligible: boolean;
  /** BS: it is copied. */
  readonly backedUp: boolean;
}

/** Flags in authenticator data: the byte behind the 32 of the relying party's hash. */
export function readFlags(authenticatorData: Uint8Array): Flags {
  const flags = authenticatorData[32] ?? 0;
  return {
    userVerified: (flags & 0x04) !== 0,
    backupEligible: (flags & 0x08) !== 0,
    backedUp: (flags & 0x10) !== 0,
  };
}

/** Bytes of base64url without padding. @throws Error when it is none */
export function bytesOfBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error('The kernel sent something that is not base64url.');
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
    letter.charCodeAt(0),
  );
}

const textOf = (bytes: ArrayBuffer): string => base64Url(new Uint8Array(bytes));

/** Whether this browser can use passkeys at this address at all. */
export function hasPasskeys(): boolean {
  return typeof PublicKeyCredential === 'function' && isSecureContext;
}

/** Why a ceremony came to nothing, as a sentence: browsers tell no more, lest a page learn what devices there are. */
export class CeremonyEnded extends Error {
  constructor(cause: unknown, what: 'sign' | 'make') {
    const name = cause instanceof DOMException ? cause.name : '';
    super(SENTENCES[name] ?? `Nothing was ${what === 'sign' ? 'signed' : 'made'}: ${String(cause)}`, {
      cause,
    });
    this.name = 'CeremonyEnded';
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  NotAllowedError:
    'Nothing happened: it was cancelled, took too long, or the device could not verify you (by a PIN, a finger or a face), which is required.',
  InvalidStateError:
    'This device has a passkey of this approver already. Use another device, or another kind of passkey.',
  SecurityError:
    'Passkeys of this kernel are not used at this address. Open the page under the address that your operators name.',
  NotSupportedError: 'This device makes no keys of the kinds ES256 and Ed25519.',
};

/** Signs a challenge with a passkey of the person who sits here. @throws CeremonyEnded */
export async function signWithPasskey({
  challenge,
  rpId,
  allowCredentials,
  timeout,
}: AssertionRequest): Promise<Assertion> {
  try {
    const found = (await navigator.credentials.get({
      publicKey: {
        challenge: bytesOfBase64Url(challenge),
        rpId,
        allowCredentials: allowCredentials.map(({ id }) => ({
          type: 'public-key',
          id: bytesOfBase64Url(id),
        })),
        userVerification: 'required',
        timeout,
      },
    })) as PublicKeyCredential | null;
    if (found === null) throw new Error('the browser gave no credential');
    const { clientDataJSON, authenticatorData, signature } = found.response as AuthenticatorAssertionResponse;
    return {
      credentialId: textOf(found.rawId),
      clientDataJSON: textOf(clientDataJSON),
      authenticatorData: textOf(authenticatorData),
      signature: textOf(signature),
    };
  } catch (cause) {
    throw new CeremonyEnded(cause, 'sign');
  }
}

/** Members of PublicKeyCredentialCreationOptionsJSON that are not plain JSON. */
interface CreationOptionsJson {
  challenge: string;
  user: { id: string; name: string; displayName: string };
  excludeCredentials?: { id: string; type: 'public-key' }[];
}

/** Makes a passkey. @param options PublicKeyCredentialCreationOptionsJSON of the kernel @throws CeremonyEnded */
export async function makePasskey(options: Record<string, unknown>): Promise<Made> {
  const {
    challenge,
    user,
    excludeCredentials = [],
    ...rest
  } = options as unknown as CreationOptionsJson &
    Omit<PublicKeyCredentialCreationOptions, keyof CreationOptionsJson>;
  try {
    const made = (await navigator.credentials.create({
      publicKey: {
        ...rest,
        challenge: bytesOfBase64Url(challenge),
        user: { ...user, id: bytesOfBase64Url(user.id) },
        excludeCredentials: excludeCredentials.map(({ id }) => ({
          type: 'public-key',
          id: bytesOfBase64Url(id),
        })),
      },
    })) as PublicKeyCredential | null;
    if (made === null) throw new Error('the browser gave no credential');
    const response = made.response as AuthenticatorAttestationResponse;
    return {
      response: {
        id: textOf(made.rawId),
        rawId: textOf(made.rawId),
        type: 'public-key',
        response: {
          clientDataJSON: textOf(response.clientDataJSON),
          attestationObject: textOf(response.attestationObject),
        },
      },
      flags: readFlags(new Uint8Array(response.getAuthenticatorData())),
    };
  } catch (cause) {
    throw new CeremonyEnded(cause, 'make');
  }
}
