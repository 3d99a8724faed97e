import { importKey, sha256, verifyEd25519 } from '#evidence-crypto';
import { type ApprovalRecord, approvalSigningInput } from './approval-record';
import { type ApproverKey } from './approver-pool';
import { base64Decode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { checkedKeyOfPem } from '../keys/public-key';
import { judgeAssertion, type WebAuthnAssertion } from './webauthn-assertion';

/** A signature over an approval record: base64 Ed25519, or an assertion. */
export type ApprovalSignature = string | WebAuthnAssertion;

const ASSERTION_MEMBERS = ['credentialId', 'clientDataJSON', 'authenticatorData', 'signature'] as const;

/** Reads a signature as events and bundles hold it. @throws EvidenceError `invalid_approval` */
export function readApprovalSignature(value: JsonValue | undefined, base = ''): ApprovalSignature {
  if (typeof value === 'string') return value;
  const object = value as JsonObject | null | undefined;
  const fits =
    typeof object === 'object' &&
    object !== null &&
    Object.keys(object).length === ASSERTION_MEMBERS.length &&
    ASSERTION_MEMBERS.every((name) => typeof object[name] === 'string');
  if (fits) return object as unknown as WebAuthnAssertion;
  throw new EvidenceError(
    'invalid_approval',
    `A signature is base64, or an assertion of ${ASSERTION_MEMBERS.join(', ')}.`,
    { pointer: base },
  );
}

/**
 * Checks the signature of an approval (docs/spec/approval.md, section 2), with nothing but the key.
 * @returns the reasons why it is not valid, each starting with a stable word and a colon; empty when it is valid
 */
export function verifyApproval(
  record: ApprovalRecord,
  signature: ApprovalSignature,
  key: ApproverKey,
): string[] {
  let input: Uint8Array;
  try {
    input = approvalSigningInput(record);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return [`${error.code}: ${error.message}`];
  }
  if (record.keyId !== key.keyId) return [`key: the record names the key ${record.keyId}, not ${key.keyId}`];
  if (key.algorithm === 'webauthn') {
    if (typeof signature === 'string') return ['signature: a WebAuthn credential signs by an assertion'];
    return judgeAssertion(signature, key, sha256(input));
  }
  const bytes = typeof signature === 'string' ? base64Decode(signature) : null;
  if (bytes?.length !== 64) return ['signature: an Ed25519 signature is 64 bytes in standard base64'];
  const valid = verifyEd25519(importKey(checkedKeyOfPem(key.publicKeyPem)), input, bytes);
  return valid ? [] : [`signature: not made by the key ${key.keyId} over this record`];
}
