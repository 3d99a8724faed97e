import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  type JsonNameParams,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509Crl,
  X509CrlGenerator,
} from '@peculiar/x509';

const HOUR_MS = 60 * 60 * 1000;
/** Clocks of containers and hosts differ a little. */
const BACKDATE_MS = 5 * 60 * 1000;
/** Label that OpenSSL reads (RFC 7468, section 6); the library writes another. */
const LIST_LABEL = 'X509 CRL';
const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Validity {
  /** Default: a little before now. */
  notBefore?: Date;
  /** Default: an hour from now. */
  notAfter?: Date;
}

export interface IssueRequest extends Validity {
  /** Relative names in order; several of one kind are allowed, that is what tests are for. */
  subject: JsonNameParams;
  names?: JsonGeneralNames;
  /** Default: client. */
  usage?: 'client' | 'server';
  /** Bits of RFC 5280 section 4.2.1.3; null: without the extension. Default: digitalSignature. */
  keyUsage?: number | null;
  /** Claims to be an authority's certificate. */
  ca?: boolean;
  /** Added as they are, after the others. */
  extensions?: Extension[];
}

export interface IssuedCertificate {
  /** PEM */
  cert: string;
  /** PEM, PKCS#8 */
  key: string;
  der: Uint8Array;
}

/** A certificate authority in memory: it issues what it is asked for, the malformed and the expired included. */
export class CertificateAuthority {
  private constructor(
    private readonly certificate: X509Certificate,
    private readonly signingKey: webcrypto.CryptoKey,
  ) {}

  static async create(commonName = 'test CA', validity: Validity = {}): Promise<CertificateAuthority> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: serialNumber(),
        name: [{ CN: [commonName] }],
        ...period(validity),
        signingAlgorithm: EC_P256,
        keys,
        extensions: [
          new BasicConstraintsExtension(true, 0, true),
          new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
          await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return new CertificateAuthority(certificate, keys.privateKey);
  }

  /** @param pem certificate and PKCS#8 key, which belong together */
  static async of(pem: { cert: string; key: string }): Promise<CertificateAuthority> {
    const pkcs8 = createPrivateKey(pem.key).export({ type: 'pkcs8', format: 'der' });
    const key = await webcrypto.subtle.importKey('pkcs8', pkcs8, EC_P256, true, ['sign']);
    return new CertificateAuthority(new X509Certificate(pem.cert), key);
  }

  /** PEM */
  get cert(): string {
    return this.certificate.toString('pem');
  }

  /** PEM, PKCS#8 */
  key(): Promise<string> {
    return pemOf(this.signingKey);
  }

  async issue(request: IssueRequest): Promise<IssuedCertificate> {
    const { subject, names = [], usage, ca = false, extensions = [] } = request;
    const { keyUsage = KeyUsageFlags.digitalSignature } = request;
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: new Name(subject),
        issuer: this.certificate.subject,
        ...period(request),
        signingAlgorithm: EC_P256,
        publicKey: keys.publicKey,
        signingKey: this.signingKey,
        extensions: [
          new BasicConstraintsExtension(ca, undefined, true),
          ...(keyUsage === null ? [] : [new KeyUsagesExtension(keyUsage, true)]),
          new ExtendedKeyUsageExtension([
            usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
          ]),
          await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
          await AuthorityKeyIdentifierExtension.create(this.certificate, false, webcrypto),
          ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
          ...extensions,
        ],
      },
      webcrypto,
    );
    return {
      cert: certificate.toString('pem'),
      key: await pemOf(keys.privateKey),
      der: new Uint8Array(certificate.rawData),
    };
  }

  /** A list (PEM) that revokes these serial numbers (hex). It lasts as long as the authority. */
  async revocationList(serials: readonly string[], at: Date = new Date()): Promise<string> {
    const list = await X509CrlGenerator.create(
      {
        issuer: this.certificate.subject,
        thisUpdate: new Date(at.getTime() - BACKDATE_MS),
        nextUpdate: this.certificate.notAfter,
        signingAlgorithm: EC_P256,
        signingKey: this.signingKey,
        entries: serials.map((serial) => ({ serialNumber: serial, revocationDate: at })),
        extensions: [await AuthorityKeyIdentifierExtension.create(this.certificate, false, webcrypto)],
      },
      webcrypto,
    );
    return `${PemConverter.encode(list.rawData, LIST_LABEL)}\n`;
  }

  /** The serial numbers (hex) of a list; undefined when it is a list of another authority. */
  async revokedBy(list: string): Promise<string[] | 'no list' | undefined> {
    let crl: X509Crl;
    try {
      crl = new X509Crl(PemConverter.decodeFirst(list));
    } catch {
      return 'no list';
    }
    const isOwn = await crl.verify({ publicKey: this.certificate }, webcrypto).catch(() => false);
    return isOwn ? crl.entries.map(({ serialNumber: serial }) => serial) : undefined;
  }

  /** A server's certificate for 127.0.0.1 and localhost. */
  issueServer(): Promise<IssuedCertificate> {
    return this.issue({
      subject: [{ CN: ['localhost'] }],
      usage: 'server',
      names: [
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ],
    });
  }

  issueClient(commonName: string): Promise<IssuedCertificate> {
    return this.issue({ subject: [{ CN: [commonName] }] });
  }
}

function period({ notBefore, notAfter }: Validity): Required<Validity> {
  return {
    notBefore: notBefore ?? new Date(Date.now() - BACKDATE_MS),
    notAfter: notAfter ?? new Date(Date.now() + HOUR_MS),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets, here with 127 random bits. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
