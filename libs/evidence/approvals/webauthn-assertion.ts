import { importKey, sha256, verifyEd25519, verifyEs256 } from '#evidence-crypto';
import { base64Decode, base64Url } from '../json/base64';
import { type CoseKey, readCoseKey } from '../keys/cose-key';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from '../json/json-value';
import { parseStrictJson } from '../json/strict-json.parser';

/** An assertion as it is stored: the raw bytes that the authenticator and the browser made, in base64. */
export interface WebAuthnAssertion {
  credentialId: string;
  clientDataJSON: string;
  authenticatorData: string;
  signature: string;
}

/** The credential as it was registered: assertions are checked against it. */
export interface WebAuthnCredential {
  credentialId: string;
  /** Base64 of the COSE key. */
  publicKey: string;
  /** The relying party, `kernel.example.com`. */
  rpId: string;
  /** The web origins at which the approval may have been given, `https://kernel.example.com`. */
  origins: readonly string[];
}

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const ATTESTED_CREDENTIAL = 0x40;
const EXTENSIONS = 0x80;
/** rpIdHash, flags, signature counter (WebAuthn Level 2, section 6.1). */
const AUTHENTICATOR_DATA = 37;
/** Client data of a browser: type, challenge, origin and a few more members. */
const MAX_CLIENT_DATA = 4_096;
const MAX_AUTHENTICATOR_DATA = 4_096;

/**
 * Checks a stored assertion (WebAuthn Level 2, section 7.2, the steps that need no session): which ceremony, challenge,
 * origin, relying party, user presence and verification, signature. The signature counter is not judged: synchronised
 * passkeys keep it at 0, and offline there is no earlier value to compare with.
 * @param challenge the 32 bytes that had to be signed
 * @returns the reasons why it is not valid, each starting with a stable word and a colon; empty when it is valid
 */
export function judgeAssertion(
  assertion: WebAuthnAssertion,
  credential: WebAuthnCredential,
  challenge: Uint8Array,
): string[] {
  const reasons: string[] = [];
  const clientData = base64Decode(assertion.clientDataJSON);
  const authenticatorData = base64Decode(assertion.authenticatorData);
  const signature = base64Decode(assertion.signature);
  const publicKey = base64Decode(credential.publicKey);
  if (clientData === null || authenticatorData === null || signature === null || publicKey === null) {
    return [
      'assertion: clientDataJSON, authenticatorData and signature must be standard base64 with padding',
    ];
  }
  if (clientData.length > MAX_CLIENT_DATA || authenticatorData.length > MAX_AUTHENTICATOR_DATA) {
    return ['assertion: clientDataJSON and authenticatorData have at most 4096 bytes each'];
  }
  if (assertion.credentialId !== credential.credentialId) {
    reasons.push('credential: the assertion is by another credential than the registered one');
  }
  reasons.push(...judgeClientData(clientData, credential, challenge));
  reasons.push(...judgeAuthenticatorData(authenticatorData, credential));
  const signed = new Uint8Array(authenticatorData.length + 32);
  signed.set(authenticatorData);
  signed.set(sha256(clientData), authenticatorData.length);
  let key: CoseKey;
  try {
    key = readCoseKey(publicKey);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return [...reasons, `${error.code}: ${error.message}`];
  }
  const valid =
    key.algorithm === 'EdDSA'
      ? signature.length === 64 && verifyEd25519(importKey(key.raw), signed, signature)
      : verifyEs256(key.x, key.y, signed, signature);
  if (!valid) reasons.push('signature: not made by the registered credential over this assertion');
  return reasons;
}

function judgeClientData(
  bytes: Uint8Array,
  { origins }: WebAuthnCredential,
  challenge: Uint8Array,
): string[] {
  let value: JsonValue;
  try {
    value = parseStrictJson(bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return [`client_data: clientDataJSON is not acceptable JSON (${error.message})`];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return ['client_data: clientDataJSON is not an object'];
  }
  const reasons: string[] = [];
  if (value['type'] !== 'webauthn.get') {
    reasons.push(`client_data: the ceremony is ${JSON.stringify(value['type'] ?? null)}, not "webauthn.get"`);
  }
  if (value['challenge'] !== base64Url(challenge)) {
    reasons.push('challenge: the assertion is over another challenge than the SHA-256 of this record');
  }
  const origin = value['origin'];
  if (typeof origin !== 'string' || !origins.includes(origin)) {
    reasons.push(
      `web_origin: given at ${JSON.stringify(origin ?? null)}, registered for ${origins.join(', ')}`,
    );
  }
  if (value['crossOrigin'] === true) reasons.push('web_origin: given inside a frame of another origin');
  return reasons;
}

function judgeAuthenticatorData(bytes: Uint8Array, { rpId }: WebAuthnCredential): string[] {
  if (bytes.length < AUTHENTICATOR_DATA) return ['authenticator_data: it has fewer than 37 bytes'];
  const reasons: string[] = [];
  const expected = sha256(new TextEncoder().encode(rpId));
  if (!expected.every((byte, i) => bytes[i] === byte)) {
    reasons.push(`relying_party: the authenticator signed for another relying party than ${rpId}`);
  }
  const flags = bytes[32] ?? 0;
  if ((flags & USER_PRESENT) === 0) reasons.push('user_present: nobody touched the authenticator');
  if ((flags & USER_VERIFIED) === 0) reasons.push('user_verified: the authenticator did not verify its user');
  const more = (flags & (ATTESTED_CREDENTIAL | EXTENSIONS)) !== 0;
  if (bytes.length > AUTHENTICATOR_DATA !== more) {
    reasons.push('authenticator_data: its length does not fit its flags');
  }
  return reasons;
}
