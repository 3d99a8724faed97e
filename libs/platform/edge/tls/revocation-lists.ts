import 'reflect-metadata';
import { type X509Certificate as NodeCertificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  AuthorityKeyIdentifierExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509Crl,
} from '@peculiar/x509';
import {
  certificatesIn,
  revocationListsIn,
  type SettingType,
  settingType,
  type TlsMaterial,
  type Validity,
  whyNotInForce,
} from '#platform/process';

const CRL_NUMBER_OID = '2.5.29.20';
/** RFC 5280 section 5.2.4. */
const DELTA_CRL_OID = '2.5.29.27';

/** The revocation lists of client authorities (RFC 5280, section 5), for checks of open connections. */
export class RevocationLists {
  /** Revoked serial numbers by issuer. */
  private readonly revoked = new Map<string, Set<string>>();
  private readonly lists: readonly X509Crl[];

  /** @throws Error as the rest of a sentence */
  constructor(pem: string | Buffer) {
    this.lists = revocationListsIn(pem).map((list) => new X509Crl(list));
    if (this.lists.length === 0) throw new Error('no revocation list could be read');
    for (const list of this.lists) {
      const issuer = nameKey(list.issuer);
      const serials = this.revoked.get(issuer) ?? new Set();
      for (const { serialNumber } of list.entries) serials.add(serialKey(serialNumber));
      this.revoked.set(issuer, serials);
    }
  }

  /** @throws Error as the rest of a sentence: a list without an end, or one that OpenSSL would not apply */
  validities(): Validity[] {
    return this.lists.map((list) => {
      if (list.nextUpdate === undefined) throw new Error(`the revocation list of ${list.issuer} has no end`);
      if (list.getExtension(DELTA_CRL_OID) !== null) {
        throw new Error(`the revocation list of ${list.issuer} is a delta; whole lists are needed`);
      }
      return {
        kind: 'revocation list',
        subject: list.issuer,
        serial: Buffer.from(list.getExtension(CRL_NUMBER_OID)?.value ?? new ArrayBuffer()).toString('hex'),
        from: list.thisUpdate.getTime(),
        to: list.nextUpdate.getTime(),
      };
    });
  }

  /** @throws Error for an authority without a list: OpenSSL refuses every client of it */
  assertCover(authorities: readonly NodeCertificate[], now: number): void {
    for (const authority of authorities) {
      if (authority.validToDate.getTime() < now) continue;
      const { subject, keyId } = readAuthority(authority);
      const covered = this.lists.some((list) => {
        const of = list.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
        return nameKey(list.issuer) === nameKey(subject) && (!of || !keyId || of === keyId);
      });
      if (!covered) throw new Error(`there is no revocation list of ${subject}`);
    }
  }

  /** The issuers, as `issuerOf` names them, whose lists name what they did not name before. */
  issuersWithMore(before: RevocationLists | undefined): Set<string> {
    const more = [...this.revoked].filter(([issuer, serials]) => {
      const known = before?.revoked.get(issuer);
      return [...serials].some((serial) => known?.has(serial) !== true);
    });
    return new Set(more.map(([issuer]) => issuer));
  }

  /** Whether a list names a certificate. */
  revokes(der: Uint8Array): boolean {
    const { issuer, serialNumber } = new X509Certificate(new Uint8Array(der));
    return this.revoked.get(nameKey(issuer))?.has(serialKey(serialNumber)) ?? false;
  }
}

/** The name of a certificate's issuer, in a form that can be compared. */
export function issuerOf(der: Uint8Array): string {
  return nameKey(new X509Certificate(new Uint8Array(der)).issuer);
}

/** For `TlsFiles` of a server: whether its lists, where it has any, fit its authorities. */
export function readRevocationLists({ ca, crl }: TlsMaterial): readonly Validity[] {
  if (crl === undefined) return [];
  const lists = new RevocationLists(crl);
  if (ca !== undefined) lists.assertCover(certificatesIn(ca), Date.now());
  return lists.validities();
}

/** The path of a PEM file with currently valid revocation lists. */
export function revocationListFile(): SettingType<string> {
  const format = 'the path of a PEM file with revocation lists that are in force';
  return settingType(format, (path) => {
    try {
      const lists = new RevocationLists(readFileSync(path)).validities();
      return lists.every((list) => whyNotInForce(list, Date.now()) === null) ? path : undefined;
    } catch {
      return undefined;
    }
  });
}

function readAuthority({ raw }: NodeCertificate): { subject: string; keyId: string | undefined } {
  const certificate = new X509Certificate(new Uint8Array(raw));
  return {
    subject: certificate.subject,
    keyId: certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId,
  };
}

/** Names are compared without regard to case and blanks (RFC 5280, section 7.1). */
function nameKey(name: string): string {
  return name.toLowerCase().replaceAll(/\s+/g, ' ').trim();
}

function serialKey(hex: string): string {
  return hex.toLowerCase().replace(/^0+/, '');
}
