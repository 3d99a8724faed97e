import { importKey, verifyEd25519 } from '#evidence-crypto';
import { MANIFEST_PAYLOAD_TYPE, dssePae, parseEnvelope, type ParsedEnvelope } from './dsse';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from '../json/json-value';
import { isInDoubt, type ShardPosition, whyOutside } from '../keys/key-span';
import { manifestDigest, parseManifestStatement } from './manifest-statement';
import { checkedKeyOfPem } from '../keys/public-key';
import { type TrustedSigner } from '../keys/signers';

export interface ManifestVerification {
  /** The manifest itself, or its digest when the manifest is not available; one of the two is needed. */
  manifest?: JsonValue;
  /** Hex SHA-256 of the manifest's canonical bytes. */
  sha256?: string;
  envelope: unknown;
  keys: readonly TrustedSigner[];
  /** The kernel that must have signed. */
  origin?: string;
  /**
   * Position of the `manifest.signed` event that holds this very envelope, when the caller has proven that it is in the
   * chain (by a receipt, or by the verified chain itself). Only this vouches for the signature of a key that has ended.
   */
  recordedAt?: ShardPosition;
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
  recordedAt,
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
    const refusals = signatures.map((signature) => whyNotSigned(keys, signature, input, recordedAt));
    if (!refusals.includes(null)) reasons.push(...refusals.filter((reason) => reason !== null));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    reasons.push(`${error.code}: ${error.located}`);
  }
  return { valid: reasons.length === 0, reasons };
}

function whyNotSigned(
  keys: readonly TrustedSigner[],
  { keyid, sig }: ParsedEnvelope['signatures'][number],
  input: Uint8Array,
  recordedAt: ShardPosition | undefined,
): string | null {
  const key =
    keyid === null
      ? keys.find((one) => one.purposes.includes('manifest') && isSignedBy(one, input, sig))
      : keys.find(({ signer_kid }) => signer_kid === keyid);
  if (key === undefined) {
    return keyid === null
      ? 'signature: not made by a known manifest key over this statement'
      : `unknown_key: ${keyid} is not a known signer`;
  }
  const { signer_kid: kid } = key;
  if (!key.purposes.includes('manifest')) return `key_not_valid: ${kid} is not a manifest key`;
  if (!isSignedBy(key, input, sig)) return `signature: not made by ${kid} over this statement`;
  return whyKeyDoesNotCount(key, recordedAt);
}

/**
 * Why a right signature by this key proves nothing; null when it does. Whoever holds a key writes any `signedAt`, so
 * that of a key that has ended counts only where the chain has recorded it.
 */
function whyKeyDoesNotCount(key: TrustedSigner, recordedAt: ShardPosition | undefined): string | null {
  const { signer_kid: kid, status, span } = key;
  if (recordedAt === undefined) {
    if (status === 'active') return null;
    return `receipt_needed: ${kid} is ${status}; only a receipt of the manifest.signed event shows that it signed before`;
  }
  const at = `${recordedAt.shard}:${recordedAt.seq}`;
  if (span === undefined || (status !== 'active' && span.until === null)) {
    if (status === 'active') return null;
    return `key_not_valid: ${kid} is ${status}, and its span, which says where it ended, is missing`;
  }
  const outside = whyOutside(span, recordedAt);
  if (outside !== null) return `key_not_valid: ${kid} ${outside}, and this was recorded at ${at}`;
  if (!isInDoubt(span, recordedAt)) return null;
  return `key_not_valid: ${kid} is in doubt at ${at}, where this was recorded`;
}

function isSignedBy(key: TrustedSigner, input: Uint8Array, sig: Uint8Array): boolean {
  return sig.length === 64 && verifyEd25519(importKey(checkedKeyOfPem(key.public_key_pem)), input, sig);
}
