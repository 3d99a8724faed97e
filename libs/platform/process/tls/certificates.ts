import { X509Certificate } from 'node:crypto';

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PEM_LIST = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g;

/** Validity of a certificate or a revocation list. Times in milliseconds since the epoch. */
export interface Validity {
  readonly kind: 'certificate' | 'revocation list';
  /** Distinguished name of the holder, or its other names where it has none; for a list, of its issuer. */
  readonly subject: string;
  /** Serial number of a certificate (hexadecimal), number of a list; empty where it has none. */
  readonly serial: string;
  readonly from: number;
  readonly to: number;
}

/** The certificates of a PEM file, in their order. */
export function certificatesIn(pem: string | Buffer): X509Certificate[] {
  return (pem.toString().match(PEM_CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
}

/** The revocation lists of a PEM file, each in PEM: OpenSSL reads only the first of a text. */
export function revocationListsIn(pem: string | Buffer): string[] {
  return pem.toString().match(PEM_LIST) ?? [];
}

export function validityOf(certificate: X509Certificate): Validity {
  const { serialNumber: serial, validFromDate, validToDate, subjectAltName } = certificate;
  // A server's may have no subject and be known by its names alone; Node's types do not say so.
  const subject = (certificate.subject as string | undefined) ?? subjectAltName ?? '';
  return {
    kind: 'certificate',
    subject: subject.replaceAll('\n', ', '),
    serial,
    from: validFromDate.getTime(),
    to: validToDate.getTime(),
  };
}

/** Returns why something is not valid at a time, as the rest of a sentence; null when it is. */
export function whyNotInForce({ kind, subject, from, to }: Validity, now: number): string | null {
  const whose = kind === 'certificate' ? `the one of ${subject}` : `the revocation list of ${subject}`;
  if (now > to) return `${whose} expired on ${new Date(to).toISOString()}; renew it`;
  if (now >= from) return null;
  return `${whose} is not valid before ${new Date(from).toISOString()}; check the clock`;
}
