import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  type JsonNameParams,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

export interface TestCertificate {
  /** PEM */
  cert: string;
  /** PEM, PKCS#8 */
  key: string;
  der: Uint8Array;
}

export interface TestCertificateRequest {
  /** Relative names in order; several of one kind are allowed, that is what tests are for. */
  subject: JsonNameParams;
  names?: JsonGeneralNames;
  usage?: 'client' | 'server';
  ca?: boolean;
  notBefore?: Date;
  notAfter?: Date;
  /** Added as they are, after the others. */
  extensions?: Extension[];
}

/** An authority in memory that issues whatever certificate a test asks for, the malformed ones included. */
export class TestCa {
  private constructor(
    private readonly certificate: X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  static async create(commonName = 'test CA'): Promise<TestCa> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: randomBytes(8).toString('hex'),
        name: [{ CN: [commonName] }],
        notBefore: new Date(Date.now() - HOUR_MS),
        notAfter: new Date(Date.now() + HOUR_MS),
        signingAlgorithm: EC_P256,
        keys,
        extensions: [new BasicConstraintsExtension(true, undefined, true)],
      },
      webcrypto,
    );
    return new TestCa(certificate, keys);
  }

  /** PEM */
  get cert(): string {
    return this.certificate.toString('pem');
  }

  async issue(request: TestCertificateRequest): Promise<TestCertificate> {
    const keys = await newKeys();
    const usage = request.usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth;
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: randomBytes(8).toString('hex'),
        subject: new Name(request.subject),
        issuer: this.certificate.subject,
        notBefore: request.notBefore ?? new Date(Date.now() - HOUR_MS),
        notAfter: request.notAfter ?? new Date(Date.now() + HOUR_MS),
        signingAlgorithm: EC_P256,
        publicKey: keys.publicKey,
        signingKey: this.keys.privateKey,
        extensions: [
          new BasicConstraintsExtension(request.ca ?? false, undefined, true),
          new ExtendedKeyUsageExtension([usage]),
          ...(request.names === undefined ? [] : [new SubjectAlternativeNameExtension(request.names)]),
          ...(request.extensions ?? []),
        ],
      },
      webcrypto,
    );
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return {
      cert: certificate.toString('pem'),
      key: PemConverter.encode(pkcs8, 'PRIVATE KEY'),
      der: new Uint8Array(certificate.rawData),
    };
  }

  /** A server's certificate for 127.0.0.1 and localhost. */
  issueServer(): Promise<TestCertificate> {
    return this.issue({
      subject: [{ CN: ['localhost'] }],
      usage: 'server',
      names: [
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ],
    });
  }

  issueClient(commonName: string): Promise<TestCertificate> {
    return this.issue({ subject: [{ CN: [commonName] }] });
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
}
