import {
  type ApprovalAction,
  type ApprovalRecord,
  approvalRecordBytes,
  approvalSigningInput,
  base64Url,
  hexDecode,
  type JsonObject,
  manifestDigest,
  readApprovalRecord,
  sha256Hex,
} from '#evidence';
import { type ApprovalRequest } from './upgrade-queries';

/** What somebody is about to sign, with every digest made here. */
export interface CheckedRequest {
  readonly record: ApprovalRecord;
  /** Hex SHA-256 of the record's canonical bytes. */
  readonly sha256: string;
  /** What a passkey signs: base64url of the SHA-256 of the signing input. */
  readonly challenge: string;
  readonly credentialRequest: ApprovalRequest['credentialRequest'];
}

export interface Wanted {
  readonly upgradeId: string;
  readonly action: ApprovalAction;
  readonly approverId: string;
  readonly keyId: string;
  readonly notes: string | null;
  /** The manifest that the page shows. */
  readonly manifest: JsonObject;
}

/**
 * Checks what the kernel wants to be signed, as the command line does: it has to speak of what the page shows, and every
 * digest is made again.
 * @throws Error that begins with "Do not sign"
 */
export function checkedRequest(answer: ApprovalRequest, wanted: Wanted): CheckedRequest {
  const record = readApprovalRecord(answer.record);
  const expected = {
    upgradeId: wanted.upgradeId,
    action: wanted.action,
    approverId: wanted.approverId,
    keyId: wanted.keyId,
    notes: wanted.notes,
    manifestSha256: manifestDigest(wanted.manifest),
  };
  for (const [name, value] of Object.entries(expected)) {
    const said = record[name as keyof ApprovalRecord];
    if (said !== value)
      throw new Error(
        `Do not sign: the record says ${name} ${String(said)}, and this page shows ${String(value)}.`,
      );
  }
  const bytes = approvalRecordBytes(record);
  const sha256 = sha256Hex(bytes);
  if (sha256 !== answer.sha256)
    throw new Error(`Do not sign: the record's SHA-256 is ${sha256}, and the kernel says ${answer.sha256}.`);
  const challenge = base64Url(hexDecode(sha256Hex(approvalSigningInput(record))));
  const { credentialRequest } = answer;
  if (credentialRequest !== null && credentialRequest.challenge !== challenge)
    throw new Error('Do not sign: the kernel wants the passkey to sign something else than this record.');
  return { record, sha256, challenge, credentialRequest };
}
