import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '@peculiar/x509';
import { AccessError } from './access-error';

/** Holder that a certificate names; has at least one of the two names. */
export interface CertificateIdentity {
  readonly commonName?: string;
  readonly spiffeId?: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

const COMMON_NAME_OID = '2.5.4.3';
const KEY_USAGE_OID = '2.5.29.15';
const SUBJECT_ALTERNATIVE_NAME_OID = '2.5.29.17';
/** Printable ASCII, at most 64 characters (X.520 ub-common-name); a name that looks like another is refused. */
const COMMON_NAME = /^(?! )[\x20-\x7e]{1,64}(?<! )$/;
/** SPIFFE-ID section 2: lower case trust domain, then at least one path segment, none of them dots alone. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/;
const MAX_SPIFFE_ID_BYTES = 2048;

/**
 * Reads the names of a client certificate from its DER form, field by field: the printable forms that
 * TLS libraries offer can be forged with separators inside a name (CVE-2021-44532, CVE-2021-44533).
 * The caller has checked the chain; this only reads what the certificate says.
 *
 * @throws AccessError `ambiguous_certificate` for two common names, two alternative-name extensions, a
 *   SPIFFE ID that is malformed or not the only URI (X509-SVID section 2) or in a certificate without the key usage of a
 *   leaf (section 4.3), a CA's own certificate.
 */
export function certificateIdentity(der: Uint8Array): CertificateIdentity {
  try {
    return read(new X509Certificate(new Uint8Array(der)));
  } catch (cause) {
    // The parser is lazy: any access may reveal a malformed part.
    throw cause instanceof AccessError ? cause : ambiguous('it cannot be parsed', { cause });
  }
}

function read(certificate: X509Certificate): CertificateIdentity {
  if (certificate.getExtension(BasicConstraintsExtension)?.ca === true) {
    throw ambiguous('it is the certificate of a CA, not of a caller');
  }
  const spiffeId = spiffeIdOf(certificate);
  if (spiffeId !== undefined) assertLeafUsage(certificate);
  const commonName = commonNameOf(certificate);
  if (spiffeId === undefined && commonName === undefined) {
    throw ambiguous('it has neither a common name nor a SPIFFE ID');
  }
  return {
    ...(commonName !== undefined && { commonName }),
    ...(spiffeId !== undefined && { spiffeId }),
    notAfter: certificate.notAfter.getTime(),
  };
}

/** X509-SVID sections 4.3 and 5.2: the key of a leaf makes signatures, and never those of an authority. */
function assertLeafUsage(certificate: X509Certificate): void {
  const extensions = certificate.extensions.filter((e) => e.type === KEY_USAGE_OID);
  if (extensions.length > 1) throw ambiguous('it has two key usage extensions');
  const [extension] = extensions;
  const usages = extension instanceof KeyUsagesExtension ? extension.usages : 0;
  if ((usages & KeyUsageFlags.digitalSignature) === 0) {
    throw ambiguous('it has a SPIFFE ID, and no key usage digitalSignature');
  }
  if ((usages & (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)) !== 0) {
    throw ambiguous('it has a SPIFFE ID, and the key usage of an authority (keyCertSign or cRLSign)');
  }
}

function commonNameOf(certificate: X509Certificate): string | undefined {
  const names = certificate.subjectName.getField(COMMON_NAME_OID);
  if (names.length > 1) throw ambiguous(`it has ${names.length} common names`);
  const name = names[0];
  if (name === undefined) return undefined;
  if (!COMMON_NAME.test(name))
    throw ambiguous('its common name is not 1 to 64 characters of printable ASCII');
  // A principal's id is one string: a common name must not pass for the SPIFFE ID of someone else.
  if (/^spiffe:/i.test(name)) throw ambiguous('its common name poses as a SPIFFE ID');
  // `<issuer>#<sub>`: approvers and events name people so, who sign in and have no certificate.
  if (/^https?:/i.test(name)) throw ambiguous('its common name poses as a person of an identity provider');
  return name;
}

function spiffeIdOf(certificate: X509Certificate): string | undefined {
  const extensions = certificate.extensions.filter((e) => e.type === SUBJECT_ALTERNATIVE_NAME_OID);
  if (extensions.length > 1) throw ambiguous('it has two subject alternative name extensions');
  const extension = extensions[0];
  if (!(extension instanceof SubjectAlternativeNameExtension)) return undefined;
  const uris = extension.names.items.filter((name) => name.type === 'url').map((name) => name.value);
  if (!uris.some((uri) => /^\s*spiffe:/i.test(uri))) return undefined;
  const [uri] = uris;
  if (uris.length > 1 || uri === undefined)
    throw ambiguous(`it has ${uris.length} URI names, one of them a SPIFFE ID`);
  if (!SPIFFE_ID.test(uri) || uri.length > MAX_SPIFFE_ID_BYTES) throw ambiguous('its SPIFFE ID is malformed');
  return uri;
}

function ambiguous(why: string, options?: ErrorOptions): AccessError {
  return new AccessError(
    'ambiguous_certificate',
    `The client certificate does not name one caller: ${why}. Issue one with a single common name or a single SPIFFE ID.`,
    {},
    options,
  );
}
