import { importKey, sha256Hex, verifyEd25519 } from '#evidence-crypto';
import { HEX_SHA256, isKid } from '../chain/audit-event';
import { base64Decode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from '../json/json-value';
import { assertOrigin, isOrigin } from '../chain/origin';
import { checkedKeyOfPem } from './public-key';
import { readSigner } from './signers';

/**
 * Statement that a key signs when it replaces another (docs/spec/signers.md, section 5): the party that registers it
 * holds it, for this kernel and as the replacement of that key.
 */
export interface SignerPossession {
  origin: string;
  /** The replaced kid. */
  replaces: string;
  kid: string;
  /** Hex SHA-256 of the 32 bytes of the new public key. */
  publicKeySha256: string;
}

const DOMAIN = 'illuvrse-kernel/signer-possession/v1';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function signerPossessionInput(of: SignerPossession): Uint8Array<ArrayBuffer> {
  assertOrigin(of.origin);
  return encoder.encode(`${DOMAIN}\n${of.origin}\n${of.replaces}\n${of.kid}\n${of.publicKeySha256}\n`);
}

/** Reads such an input back. Refuses anything that `signerPossessionInput` would not have made. */
export function parseSignerPossessionInput(bytes: Uint8Array): SignerPossession {
  const refuse = (why: string, cause?: unknown): EvidenceError =>
    new EvidenceError('invalid_signing_input', `This is no proof of possession of a signer: ${why}.`, {
      cause,
    });
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw refuse('it is not UTF-8', cause);
  }
  const [domain, origin, replaces, kid, publicKeySha256, rest, ...more] = text.split('\n');
  if (domain !== DOMAIN) throw refuse(`its first line is not ${DOMAIN}`);
  if (rest !== '' || more.length > 0) throw refuse('it must have five lines, each ended by a line feed');
  if (!isOrigin(origin)) throw refuse('its second line is no origin');
  if (!isKid(replaces)) throw refuse('its third line is no signer_kid');
  if (!isKid(kid)) throw refuse('its fourth line is no signer_kid');
  if (publicKeySha256 === undefined || !HEX_SHA256.test(publicKeySha256)) {
    throw refuse('its fifth line is no SHA-256 in hex');
  }
  return { origin, replaces, kid, publicKeySha256 };
}

/**
 * Whether the counter-signature of a `signer.rotated` or `signer.emergency` event is by the new key. True for events of
 * other types; false also when the payload cannot be read that far.
 */
export function counterSignatureHolds(
  origin: string,
  { type, payload }: { type: string; payload: { [member: string]: JsonValue } },
): boolean {
  if (type !== 'signer.rotated' && type !== 'signer.emergency') return true;
  const { from, counterSignature } = payload;
  const signature = typeof counterSignature === 'string' ? base64Decode(counterSignature) : null;
  if (typeof from !== 'string' || signature?.length !== 64) return false;
  try {
    const { signer_kid: kid, public_key_pem } = readSigner(payload['to']);
    const raw = checkedKeyOfPem(public_key_pem);
    const input = signerPossessionInput({
      origin,
      replaces: from,
      kid,
      publicKeySha256: sha256Hex(raw),
    });
    return verifyEd25519(importKey(raw), input, signature);
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}
