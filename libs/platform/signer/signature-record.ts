import { type Envelope } from '#evidence';

/** A manifest signature as its users know it from the API, and snake_case for that reason. */
export interface SignatureRecord {
  id: string;
  manifest_id: string;
  signer_id: string;
  algorithm: 'ed25519';
  key_version: string;
  /** Base64 Ed25519 over the DSSE pre-authentication encoding. */
  signature: string;
  version: string;
  /** RFC 3339 UTC with milliseconds: the statement's signedAt, so the signature covers it. */
  ts: string;
  manifest_sha256: string;
  envelope: Envelope;
}

export function signatureRecord(signed: {
  id: string;
  manifestId: string;
  version: string;
  sha256: string;
  keyVersion: string;
  signedAt: string;
  envelope: Envelope;
}): SignatureRecord {
  const [signature] = signed.envelope.signatures;
  return {
    id: signed.id,
    manifest_id: signed.manifestId,
    signer_id: signature?.keyid ?? '',
    algorithm: 'ed25519',
    key_version: signed.keyVersion,
    signature: signature?.sig ?? '',
    version: signed.version,
    ts: signed.signedAt,
    manifest_sha256: signed.sha256,
    envelope: signed.envelope,
  };
}
