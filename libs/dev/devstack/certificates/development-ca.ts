import 'reflect-metadata';
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509Crl,
  X509CrlGenerator,
} from '@peculiar/x509';
import { writePrivate, writePublic } from './private-file';
import { DevstackError } from '../devstack.error';

const DAY_MS = 24 * 60 * 60 * 1000;
/** The CA is put into trust settings by hand, so it lasts; what it signs is renewed by every `up`. */
const CA_DAYS = 3650;
const LEAF_DAYS = 90;
const RENEW_CA_BEFORE_DAYS = LEAF_DAYS;
const RENEW_LEAF_BEFORE_DAYS = 30;
/** Clocks of containers and hosts differ a little. */
const BACKDATE_MS = 5 * 60 * 1000;
/** As OpenSSL reads it (RFC 7468, section 6); the library writes another. */
const LIST_LABEL = 'X509 CRL';
const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;

export interface CertificateRequest {
  /** Name of the files, without ending. */
  name: string;
  commonName: string;
  usage: 'server' | 'client';
  /** DNS names and IP addresses a server is reached by. */
  hosts?: readonly string[];
  /** URI subject alternative name, such as a SPIFFE id. */
  uri?: string;
}

/** Absolute paths of a certificate and its private key (0600), both PEM. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** A certificate authority for one state folder. Its certificates mean nothing outside the development stack. */
export class DevelopmentCa {
  private constructor(
    private readonly dir: string,
    private readonly certificate: X509Certificate,
    private readonly key: webcrypto.CryptoKey,
    private readonly now: () => Date,
  ) {}

  /** Opens the authority in `dir`, and its revocation list, or makes a new one when there is none or it is about to expire. */
  static async open(dir: string, now: () => Date = () => new Date()): Promise<DevelopmentCa> {
    const ca = await DevelopmentCa.openKey(dir, now);
    if ((await ca.readList()) === undefined) await ca.writeList([]);
    return ca;
  }

  private static async openKey(dir: string, now: () => Date): Promise<DevelopmentCa> {
    await mkdir(dir, { recursive: true, mode: 0o755 });
    const files = { cert: join(dir, 'ca.pem'), key: join(dir, 'ca.key') };
    const existing = await readPair(files);
    if (existing !== undefined && !expiresWithin(existing.certificate, RENEW_CA_BEFORE_DAYS, now())) {
      return new DevelopmentCa(dir, existing.certificate, await importKey(existing.key), now);
    }
    if (existing === undefined && existsSync(files.cert)) {
      throw new DevstackError(
        'state_broken',
        `${files.cert} and ${files.key} do not belong together or cannot be read; delete both to get a new development CA.`,
        { ...files },
      );
    }
    const key = newKey();
    const cryptoKey = await importKey(key);
    const publicKey = await importPublic(key);
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: 'CN=Illuvrse Kernel development CA',
        issuer: 'CN=Illuvrse Kernel development CA',
        notBefore: new Date(now().getTime() - BACKDATE_MS),
        notAfter: new Date(now().getTime() + CA_DAYS * DAY_MS),
        signingAlgorithm: SIGNING,
        publicKey,
        signingKey: cryptoKey,
        extensions: [
          new BasicConstraintsExtension(true, 0, true),
          new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
          await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    await writePrivate(files.key, pemOf(key));
    await writePublic(files.cert, `${certificate.toString('pem')}\n`);
    return new DevelopmentCa(dir, certificate, cryptoKey, now);
  }

  get certFile(): string {
    return join(this.dir, 'ca.pem');
  }

  /** The certificates that it has revoked (PEM). The list lasts as long as the authority: nobody renews it. */
  get crlFile(): string {
    return join(this.dir, 'ca.crl');
  }

  /** Puts certificates on the list. */
  async revoke(...revoked: CertificateFiles[]): Promise<void> {
    const serials = ((await this.readList())?.entries ?? []).map(({ serialNumber }) => serialNumber);
    for (const { cert } of revoked) {
      serials.push(new X509Certificate(await readFile(cert, 'utf8')).serialNumber);
    }
    await this.writeList(serials);
  }

  private async writeList(serials: readonly string[]): Promise<void> {
    const list = await X509CrlGenerator.create(
      {
        issuer: this.certificate.subject,
        thisUpdate: new Date(this.now().getTime() - BACKDATE_MS),
        nextUpdate: this.certificate.notAfter,
        signingAlgorithm: SIGNING,
        signingKey: this.key,
        entries: serials.map((serial) => ({ serialNumber: serial, revocationDate: this.now() })),
        extensions: [await AuthorityKeyIdentifierExtension.create(this.certificate, false, webcrypto)],
      },
      webcrypto,
    );
    await writePublic(this.crlFile, `${PemConverter.encode(list.rawData, LIST_LABEL)}\n`);
  }

  /** Undefined when there is none, or it is of another authority. */
  private async readList(): Promise<X509Crl | undefined> {
    try {
      const list = new X509Crl(PemConverter.decodeFirst(await readFile(this.crlFile, 'utf8')));
      return (await list.verify({ publicKey: this.certificate }, webcrypto)) ? list : undefined;
    } catch {
      return undefined;
    }
  }

  /** The files of a certificate; issues it when it is missing, about to expire, damaged or of another authority. */
  async ensure(request: CertificateRequest): Promise<CertificateFiles> {
    const files = { cert: join(this.dir, `${request.name}.pem`), key: join(this.dir, `${request.name}.key`) };
    const existing = await readPair(files);
    if (
      existing !== undefined &&
      !expiresWithin(existing.certificate, RENEW_LEAF_BEFORE_DAYS, this.now()) &&
      existing.certificate.subject === `CN=${request.commonName}` &&
      (await existing.certificate.verify({ publicKey: this.certificate, signatureOnly: true }, webcrypto))
    ) {
      return files;
    }
    const key = newKey();
    const publicKey = await importPublic(key);
    const names: JsonGeneralName[] = (request.hosts ?? []).map((host) => ({
      type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns',
      value: host,
    }));
    if (request.uri !== undefined) names.push({ type: 'url', value: request.uri });
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([
        request.usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
      ]),
      await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
      await AuthorityKeyIdentifierExtension.create(this.certificate, false, webcrypto),
    ];
    if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: [{ CN: [request.commonName] }],
        issuer: this.certificate.subject,
        notBefore: new Date(this.now().getTime() - BACKDATE_MS),
        notAfter: new Date(this.now().getTime() + LEAF_DAYS * DAY_MS),
        signingAlgorithm: SIGNING,
        publicKey,
        signingKey: this.key,
        extensions,
      },
      webcrypto,
    );
    // Key first: a crash in between leaves a pair that does not match, which the next call replaces.
    await writePrivate(files.key, pemOf(key));
    await writePublic(files.cert, `${certificate.toString('pem')}\n`);
    return files;
  }
}

async function readPair(
  files: CertificateFiles,
): Promise<{ certificate: X509Certificate; key: KeyObject } | undefined> {
  try {
    const certificate = new X509Certificate(await readFile(files.cert, 'utf8'));
    const key = createPrivateKey(await readFile(files.key, 'utf8'));
    const inCertificate = Buffer.from(certificate.publicKey.rawData);
    const ofKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    return inCertificate.equals(ofKey) ? { certificate, key } : undefined;
  } catch {
    return undefined;
  }
}

function expiresWithin(certificate: X509Certificate, days: number, now: Date): boolean {
  return certificate.notAfter.getTime() - now.getTime() < days * DAY_MS || certificate.notBefore > now;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: EC_P256.namedCurve }).privateKey;
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function importKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, EC_P256, false, ['sign']);
}

function importPublic(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return webcrypto.subtle.importKey('spki', der, EC_P256, true, ['verify']);
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets, here with 127 random bits. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
