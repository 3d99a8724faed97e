import { signatureRecord } from '#platform/signer';
import { type AccountState, balances } from './domain/account';
import { type DivisionState } from './domain/division';

/** A division with its manifest, the signature of that manifest, and its budget. */
export function divisionView(division: DivisionState, account: AccountState) {
  const { id, name, status, version, manifest, manifestSha256, registeredAt, updatedAt, updatedBy } =
    division;
  return {
    id,
    name,
    status,
    version,
    manifest,
    manifestSha256,
    balances: balances(account, division.budget),
    registeredAt,
    updatedAt,
    updatedBy,
    audit_id: division.eventId,
    signature_record: signatureRecord({
      ...division.signature,
      manifestId: id,
      version: String(version),
      sha256: manifestSha256,
    }),
  };
}
