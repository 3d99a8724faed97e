import { type AccountState, balances } from './domain/account';
import { type DivisionState } from './domain/division';

/** A manifest signature as its users know it from `POST /kernel/sign`; snake_case for the same reason. */
export function divisionSignature({ id, version, signature, manifestSha256 }: DivisionState) {
  const [signed] = signature.envelope.signatures;
  return {
    id: signature.id,
    manifest_id: id,
    signer_id: signed?.keyid ?? '',
    algorithm: 'ed25519',
    key_version: signature.keyVersion,
    signature: signed?.sig ?? '',
    version: String(version),
    ts: signature.signedAt,
    manifest_sha256: manifestSha256,
    envelope: signature.envelope,
  };
}

/** A division with its manifest, who signed it, and its budget. */
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
    signature_record: divisionSignature(division),
  };
}
