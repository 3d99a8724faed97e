import { Query } from '@nestjs/cqrs';
import { type ApprovalAction, type ApprovalRecord, type JsonObject } from '#evidence';

export interface ApprovalRequest {
  /** With its member `type`: exactly what is canonicalised and signed. */
  record: ApprovalRecord & { type: string };
  /** Hex SHA-256 of the record's canonical bytes: what a second machine recomputes. */
  sha256: string;
  /** Base64 of the bytes that an Ed25519 key signs. */
  signingInput: string;
  /** Base64url of the WebAuthn challenge. */
  challenge: string;
  /** For `navigator.credentials.get`, when the key is a WebAuthn credential; else null. */
  credentialRequest: {
    challenge: string;
    rpId: string;
    allowCredentials: { id: string; type: 'public-key' }[];
    userVerification: 'required';
    timeout: number;
  } | null;
  /** What the record's `manifestSha256` is the digest of. */
  manifest: JsonObject;
}

/** The record for an approver to sign now. */
export class GetApprovalRequest extends Query<ApprovalRequest> {
  constructor(
    readonly upgradeId: string,
    readonly signing: {
      approverId: string;
      action: ApprovalAction;
      keyId: string | null;
      approvedAt: string | null;
      notes: string | null;
    },
  ) {
    super();
  }
}
