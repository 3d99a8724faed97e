import { type Envelope } from '#evidence';
import { type ManifestSubject } from './manifest-subject';

/** The answer's record of one signature; snake_case, as its users know it. */
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

export function signatureRecord(args: {
  id: string;
  subject: ManifestSubject;
  signerKid: string;
  keyVersion: string;
  signature: string;
  signedAt: string;
  envelope: Envelope;
}): SignatureRecord {
  return {
    id: args.id,
    manifest_id: args.subject.manifestId,
    signer_id: args.signerKid,
    algorithm: 'ed25519',
    key_version: args.keyVersion,
    signature: args.signature,
    version: args.subject.version,
    ts: args.signedAt,
    manifest_sha256: args.subject.sha256,
    envelope: args.envelope,
  };
}
