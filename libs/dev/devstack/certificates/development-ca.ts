import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JsonGeneralName } from '@peculiar/x509';
import { CertificateAuthority, type Validity } from './certificate-authority';
import { writePrivate, writePublic } from './private-file';
import { DevstackError } from '../devstack.error';
import { makeFolder } from '../process/folder';

const DAY_MS = 24 * 60 * 60 * 1000;
/** The CA is put into trust settings by hand, so it lasts; what it signs is renewed by every `up`. */
const CA_DAYS = 3650;
const LEAF_DAYS = 90;
const RENEW_CA_BEFORE_DAYS = LEAF_DAYS;
const RENEW_LEAF_BEFORE_DAYS = 30;
/** Clocks of containers and hosts differ a little. */
const BACKDATE_MS = 5 * 60 * 1000;

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

/** Keeps the certificate authority of one state folder. Its certificates mean nothing outside the development stack. */
export class DevelopmentCa {
  private constructor(
    private readonly dir: string,
    private readonly authority: CertificateAuthority,
    private readonly now: () => Date,
  ) {}

  /** Opens the authority in `dir`, and its revocation list, or makes a new one when there is none or it is about to expire. */
  static async open(dir: string, now: () => Date = () => new Date()): Promise<DevelopmentCa> {
    const ca = await DevelopmentCa.openKey(dir, now);
    if ((await ca.readList()) === undefined) await ca.writeList([]);
    return ca;
  }

  private static async openKey(dir: string, now: () => Date): Promise<DevelopmentCa> {
    await makeFolder(dir, 0o755);
    const files = filesOf(dir, 'ca');
    const existing = await readPair(files);
    if (existing !== undefined && !expiresWithin(existing.cert, RENEW_CA_BEFORE_DAYS, now())) {
      return new DevelopmentCa(dir, await CertificateAuthority.of(existing), now);
    }
    if (existing === undefined && existsSync(files.cert)) {
      throw new DevstackError(
        'state_broken',
        `${files.cert} and ${files.key} do not belong together or cannot be read; delete both to get a new development CA.`,
        { ...files },
      );
    }
    const authority = await CertificateAuthority.create(
      'Illuvrse Kernel development CA',
      validity(now(), CA_DAYS),
    );
    await write(files, { cert: authority.cert, key: await authority.key() });
    return new DevelopmentCa(dir, authority, now);
  }

  get certFile(): string {
    return filesOf(this.dir, 'ca').cert;
  }

  /** The certificates that it has revoked (PEM). The list lasts as long as the authority: it is never renewed. */
  get crlFile(): string {
    return join(this.dir, 'ca.crl');
  }

  /** Puts certificates on the list. */
  async revoke(...revoked: CertificateFiles[]): Promise<void> {
    const serials = (await this.readList()) ?? [];
    for (const { cert } of revoked) {
      serials.push(new X509Certificate(await readFile(cert, 'utf8')).serialNumber);
    }
    await this.writeList(serials);
  }

  private async writeList(serials: readonly string[]): Promise<void> {
    await writePublic(this.crlFile, await this.authority.revocationList(serials, this.now()));
  }

  /**
   * The serial numbers on the list; undefined when there is none, or it is of another authority.
   * @throws DevstackError `state_broken` for a list that cannot be read: a new one would let in whom it kept out
   */
  private async readList(): Promise<string[] | undefined> {
    const list = await readFile(this.crlFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (list === undefined) return undefined;
    const revoked = await this.authority.revokedBy(list);
    if (revoked !== 'no list') return revoked;
    throw new DevstackError(
      'state_broken',
      `${this.crlFile} is no list of revoked certificates; restore it, or delete it to revoke nothing.`,
      { file: this.crlFile },
    );
  }

  /** The files of a certificate; issues it when it is missing, about to expire, damaged or of another authority. */
  async ensure({ name, commonName, usage, hosts = [], uri }: CertificateRequest): Promise<CertificateFiles> {
    const files = filesOf(this.dir, name);
    const existing = await readPair(files);
    if (existing !== undefined && !expiresWithin(existing.cert, RENEW_LEAF_BEFORE_DAYS, this.now())) {
      const certificate = new X509Certificate(existing.cert);
      if (
        certificate.subject === `CN=${commonName}` &&
        certificate.verify(new X509Certificate(this.authority.cert).publicKey)
      )
        return files;
    }
    const names: JsonGeneralName[] = hosts.map((host) => ({
      type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns',
      value: host,
    }));
    if (uri !== undefined) names.push({ type: 'url', value: uri });
    const subject = [{ CN: [commonName] }];
    await write(
      files,
      await this.authority.issue({ subject, usage, names, ...validity(this.now(), LEAF_DAYS) }),
    );
    return files;
  }
}

function filesOf(dir: string, name: string): CertificateFiles {
  return { cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) };
}

/** Key first: a crash in between leaves a pair that does not match, which the next call replaces. */
async function write(files: CertificateFiles, { cert, key }: { cert: string; key: string }): Promise<void> {
  await writePrivate(files.key, `${key}\n`);
  await writePublic(files.cert, `${cert}\n`);
}

/** The contents of both files; undefined unless they can be read and belong together. */
async function readPair(files: CertificateFiles): Promise<{ cert: string; key: string } | undefined> {
  try {
    const cert = await readFile(files.cert, 'utf8');
    const key = await readFile(files.key, 'utf8');
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? { cert, key } : undefined;
  } catch {
    return undefined;
  }
}

function validity(now: Date, days: number): Required<Validity> {
  return {
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  };
}

function expiresWithin(cert: string, days: number, now: Date): boolean {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  return validToDate.getTime() - now.getTime() < days * DAY_MS || validFromDate > now;
}
