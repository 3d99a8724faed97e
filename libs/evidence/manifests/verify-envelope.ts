import { importKey, verifyEd25519 } from '#evidence-crypto';
import { MANIFEST_PAYLOAD_TYPE, dssePae, parseEnvelope } from './dsse';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from '../json/json-value';
import { manifestDigest, parseManifestStatement, type ManifestStatement } from './manifest-statement';
import { checkedKeyOfPem } from '../keys/public-key';
import { type SignerEntry } from '../keys/signers';

export interface ManifestVerification {
  /** The manifest itself, or its digest when the manifest is not available; one of the two is needed. */
  manifest?: JsonValue;
  /** Hex SHA-256 of the manifest's canonical bytes. */
  sha256?: string;
  envelope: unknown;
  keys: readonly SignerEntry[];
  /** The kernel that must have signed. */
  origin?: string;
}

export interface ManifestVerdict {
  valid: boolean;
  /** Empty when valid; each starts with a stable word and a colon. */
  reasons: string[];
}

/** Checks an envelope against a manifest, offline (docs/spec/manifest-signature.md, section 4). Never throws. */
export function verifyManifestEnvelope({
  manifest,
  sha256,
  envelope,
  keys,
  origin,
}: ManifestVerification): ManifestVerdict {
  const reasons: string[] = [];
  try {
    const { payloadType, payload, signatures } = parseEnvelope(envelope);
    if (payloadType !== MANIFEST_PAYLOAD_TYPE) {
      return { valid: false, reasons: [`payload_type: the envelope holds ${JSON.stringify(payloadType)}`] };
    }
    const statement = parseManifestStatement(payload);
    const digest = manifest === undefined ? sha256 : manifestDigest(manifest);
    if (digest === undefined) reasons.push('digest: neither the manifest nor its SHA-256 was given');
    else if (digest !== statement.sha256) {
      reasons.push(
        `digest: the manifest's SHA-256 is ${digest}, the signed statement says ${statement.sha256}`,
      );
    }
    if (manifest !== undefined && sha256 !== undefined && sha256 !== digest) {
      reasons.push(`digest: the manifest's SHA-256 is ${digest}, not ${sha256} as claimed`);
    }
    if (origin !== undefined && statement.origin !== origin) {
      reasons.push(`origin: signed by ${statement.origin}, not by ${origin}`);
    }
    const input = dssePae(payloadType, payload);
    const refusals = signatures.map(({ keyid, sig }) => whyNotSigned(keys, keyid, sig, input, statement));
    if (!refusals.includes(null)) reasons.push(...refusals.filter((reason) => reason !== null));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const at = error.pointer === undefined || error.pointer === '' ? '' : ` (at ${error.pointer})`;
    reasons.push(`${error.code}: ${error.message}${at}`);
  }
  return { valid: reasons.length === 0, reasons };
}

function whyNotSigned(
  keys: readonly SignerEntry[],
  keyid: string,
  sig: Uint8Array,
  input: Uint8Array,
  statement: ManifestStatement,
): string | null {
  const key = keys.find(({ signer_kid }) => signer_kid === keyid);
  if (key === undefined) return `unknown_key: ${keyid} is not a known signer`;
  if (!key.purposes.includes('manifest')) return `key_not_valid: ${keyid} is not a manifest key`;
  const raw = checkedKeyOfPem(key.public_key_pem);
  if (!verifyEd25519(importKey(raw), input, sig))
    return `signature: not made by ${keyid} over this statement`;
  const signedAt = Date.parse(statement.signedAt);
  if (key.status === 'compromised') {
    // The holder of the key can write any signedAt: only the audit chain can vouch for an earlier signature.
    if (key.compromisedAt === null || signedAt >= Date.parse(key.compromisedAt)) {
      return `key_not_valid: ${keyid} was compromised when it signed (${statement.signedAt})`;
    }
  }
  if (key.status === 'retired' && (key.retiredAt === null || signedAt > Date.parse(key.retiredAt))) {
    return `key_not_valid: ${keyid} was retired when it signed (${statement.signedAt})`;
  }
  return null;
}
