import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

interface CreationOptions {
  challenge: string;
  rp: { id?: string };
  pubKeyCredParams: { alg: number }[];
  excludeCredentials?: { id: string }[];
  authenticatorSelection?: { userVerification?: string };
}

interface RequestOptions {
  challenge: string;
  rpId: string;
  allowCredentials: { id: string }[];
  userVerification: string;
}

/** What a test lets go wrong on purpose; every default is what a browser and a good authenticator do. */
export interface Ceremony {
  /** Origin of the page. */
  origin: string;
  /** Whether the user was verified. */
  verified?: boolean;
  present?: boolean;
  crossOrigin?: boolean;
  /** The flags BE and BS: a passkey that may be copied to other devices, and is. */
  backupEligible?: boolean;
  backedUp?: boolean;
  type?: string;
  challenge?: string;
  /** Skips the browser's own refusals. */
  lawless?: boolean;
}

interface Credential {
  id: Buffer;
  rpId: string;
  privateKey: KeyObject;
  cose: Buffer;
}

const [PRESENT, VERIFIED, ATTESTED] = [0x01, 0x04, 0x40];
const [BACKUP_ELIGIBLE, BACKED_UP] = [0x08, 0x10];
const ES256 = -7;
const EDDSA = -8;

/**
 * A WebAuthn client and authenticator in memory (WebAuthn Level 2, sections 5.1 and 6): it signs for the relying party
 * that a credential belongs to and only on its pages, and makes no second credential where one is excluded.
 */
export class SoftwareAuthenticator {
  private readonly credentials = new Map<string, Credential>();
  private counter = 0;

  constructor(private readonly algorithm: 'ES256' | 'EdDSA') {}

  /** `navigator.credentials.create`, as JSON. */
  create(options: CreationOptions, ceremony: Ceremony) {
    const host = new URL(ceremony.origin).hostname;
    const rpId = options.rp.id ?? host;
    const alg = this.algorithm === 'ES256' ? ES256 : EDDSA;
    this.lawful(ceremony, rpId, options.authenticatorSelection?.userVerification);
    if (!options.pubKeyCredParams.some((one) => one.alg === alg)) throw new Error('NotSupportedError');
    if (options.excludeCredentials?.some(({ id }) => this.credentials.has(id))) {
      throw new Error('InvalidStateError: this authenticator has a credential of the list already');
    }
    const credential = this.newCredential(rpId);
    const id = credential.id.toString('base64url');
    this.credentials.set(id, credential);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(credential.id.length);
    const attested = Buffer.concat([Buffer.alloc(16), length, credential.id, credential.cose]);
    const authData = Buffer.concat([this.authData(rpId, ceremony, ATTESTED), attested]);
    const attestationObject = Buffer.concat([
      Buffer.from([0xa3]),
      cborText('fmt'),
      cborText('none'),
      cborText('attStmt'),
      Buffer.from([0xa0]),
      cborText('authData'),
      cborBytes(authData),
    ]);
    return {
      id,
      rawId: id,
      type: 'public-key' as const,
      response: {
        clientDataJSON: this.clientData('webauthn.create', options.challenge, ceremony).toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal'],
      },
      clientExtensionResults: {},
    };
  }

  /** `navigator.credentials.get`, as what the kernel takes for a signature. */
  get(options: RequestOptions, ceremony: Ceremony) {
    this.lawful(ceremony, options.rpId, options.userVerification);
    const id = options.allowCredentials.map((one) => one.id).find((one) => this.credentials.has(one));
    const credential = this.credentials.get(id ?? '');
    if (id === undefined || credential === undefined) throw new Error('NotAllowedError: no such credential');
    if (credential.rpId !== options.rpId && ceremony.lawless !== true) throw new Error('NotAllowedError');
    const clientDataJSON = this.clientData('webauthn.get', options.challenge, ceremony);
    const authenticatorData = this.authData(options.rpId, ceremony, 0);
    const signed = Buffer.concat([authenticatorData, sha256(clientDataJSON)]);
    const signature = sign(this.algorithm === 'ES256' ? 'sha256' : null, signed, credential.privateKey);
    return {
      credentialId: id,
      clientDataJSON: clientDataJSON.toString('base64url'),
      authenticatorData: authenticatorData.toString('base64url'),
      signature: signature.toString('base64url'),
    };
  }

  /** What a browser refuses before it asks an authenticator. */
  private lawful({ origin, verified, lawless }: Ceremony, rpId: string, userVerification?: string): void {
    if (lawless === true) return;
    const { hostname, protocol } = new URL(origin);
    if (protocol !== 'https:' && hostname !== 'localhost')
      throw new Error('SecurityError: not a secure context');
    if (hostname !== rpId && !hostname.endsWith(`.${rpId}`)) {
      throw new Error(`SecurityError: ${rpId} is no relying party of ${origin}`);
    }
    if (userVerification === 'required' && verified === false)
      throw new Error('NotAllowedError: not verified');
  }

  private newCredential(rpId: string): Credential {
    const id = randomBytes(32);
    if (this.algorithm === 'EdDSA') {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const x = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
      const cose = Buffer.concat([Buffer.from([0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 0x20]), x]);
      return { id, rpId, privateKey, cose };
    }
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    const cose = Buffer.concat([
      Buffer.from([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]),
      Buffer.from(jwk.x ?? '', 'base64url'),
      Buffer.from([0x22, 0x58, 0x20]),
      Buffer.from(jwk.y ?? '', 'base64url'),
    ]);
    return { id, rpId, privateKey, cose };
  }

  private authData(rpId: string, ceremony: Ceremony, more: number): Buffer {
    const { verified = true, present = true, backupEligible = false, backedUp = false } = ceremony;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(++this.counter);
    const synced = (backupEligible ? BACKUP_ELIGIBLE : 0) | (backedUp ? BACKED_UP : 0);
    const flags = (present ? PRESENT : 0) | (verified ? VERIFIED : 0) | synced | more;
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), counter]);
  }

  private clientData(type: string, challenge: string, ceremony: Ceremony): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: ceremony.type ?? type,
        challenge: ceremony.challenge ?? challenge,
        origin: ceremony.origin,
        crossOrigin: ceremony.crossOrigin ?? false,
      }),
    );
  }
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

function cborText(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x60 | text.length]), Buffer.from(text)]);
}

function cborBytes(bytes: Buffer): Buffer {
  if (bytes.length < 256) return Buffer.concat([Buffer.from([0x58, bytes.length]), bytes]);
  return Buffer.concat([Buffer.from([0x59, bytes.length >> 8, bytes.length & 255]), bytes]);
}
