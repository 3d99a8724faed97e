import { createHash } from 'node:crypto';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type ApprovalRequest } from '#openapi/kernel';
import {
  APPROVAL_TYPE,
  type ApprovalAction,
  approvalRecordBytes,
  approvalSigningInput,
  type ApproverKey,
  base64Url,
  decidingPools,
  findSigner,
  sha256Hex,
} from '#evidence';
import { GovernanceError } from './domain/governance.error';
import { isAboutPool, recordToSign } from './domain/upgrade.quorum';
import { GovernanceOptions } from './governance.ports';
import { GovernanceReader } from './governance.reader';

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

/** Details for reading what is signed, and for finding the authenticator. */
const CEREMONY_MS = 5 * 60_000;

@QueryHandler(GetApprovalRequest)
export class GetApprovalRequestHandler implements IQueryHandler<GetApprovalRequest, ApprovalRequest> {
  constructor(
    private readonly reader: GovernanceReader,
    private readonly options: GovernanceOptions,
  ) {}

  async execute({ upgradeId, signing }: GetApprovalRequest): Promise<ApprovalRequest> {
    const { state, events } = await this.reader.existing(upgradeId);
    const { governance } = await this.reader.governance();
    const { approverId, action, notes } = signing;
    const aboutPool = isAboutPool(state, governance.pool);
    const [deciding] = decidingPools(governance.pool, aboutPool);
    const approver = deciding?.pool.approvers.find(({ id }) => id === approverId);
    const keyId =
      signing.keyId ??
      approver?.keys.find(
        (key) => !('refusal' in findSigner(governance.pool, approverId, key.keyId, aboutPool)),
      )?.keyId;
    const signer = findSigner(governance.pool, approverId, keyId ?? '', aboutPool);
    if (keyId === undefined || 'refusal' in signer) {
      const reason = 'refusal' in signer ? signer.refusal : 'key_not_registered';
      throw new GovernanceError(
        'key_not_valid',
        `${approverId} has no such key that could sign this now (${reason}).`,
        { reasons: [reason] },
      );
    }
    const record = recordToSign(state, governance, this.options.origin, {
      action,
      approverId,
      keyId,
      approvedAt: signing.approvedAt ?? new Date(await this.reader.now(events)).toISOString(),
      notes,
    });
    const input = approvalSigningInput(record);
    const challenge = base64Url(createHash('sha256').update(input).digest());
    return {
      record: { type: APPROVAL_TYPE, ...record },
      sha256: sha256Hex(approvalRecordBytes(record)),
      signingInput: Buffer.from(input).toString('base64'),
      challenge,
      credentialRequest: credentialRequest(challenge, signer.key),
      manifest: state.document,
    };
  }
}

/** WebAuthn Level 3, section 5.1.9: the argument of a page's `parseRequestOptionsFromJSON`. */
function credentialRequest(challenge: string, key: ApproverKey): ApprovalRequest['credentialRequest'] {
  if (key.algorithm !== 'webauthn') return null;
  const id = Buffer.from(key.credentialId, 'base64').toString('base64url');
  return {
    challenge,
    rpId: key.rpId,
    allowCredentials: [{ id, type: 'public-key' }],
    userVerification: 'required',
    timeout: CEREMONY_MS,
  };
}
