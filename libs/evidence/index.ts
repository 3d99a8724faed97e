/**
 * The formats of the kernel's evidence (docs/spec): strict JSON, canonical JSON, audit events, manifest signatures,
 * signers and chain verification. It runs in Node.js and in browsers: `#evidence-crypto` resolves to the right one.
 */
export { CodedError } from './coded-error';
export { EvidenceError, type EvidenceErrorCode, type EvidenceErrorContext } from './evidence.error';
export { jsonPointer, MAX_DEPTH, type JsonObject, type JsonValue } from './json/json-value';
export { parseStrictJson, type StrictJsonOptions } from './json/strict-json.parser';
export { assertStrictJson } from './json/strict-json.assertion';
export { canonicalize } from './json/canonical-json';
export { base64Decode, base64Encode } from './json/base64';
export { printable } from './json/printable-text';
export {
  archiveKey,
  isKid,
  isTimestamp,
  MAX_EVENT_BYTES,
  type Actor,
  type AuditEvent,
  type UnhashedEvent,
} from './chain/audit-event';
export { assertOrigin, genesisHash, isOrigin } from './chain/origin';
export {
  auditSigningInput,
  parseAuditSigningInput,
  type AuditSigningInput,
} from './chain/audit-signing-input';
export { canonicalEventBytes, hashEvent, sealEvent, type SealedEvent } from './chain/seal-event';
export { parseEvent } from './chain/parse-event';
export {
  buildEnvelope,
  dssePae,
  MANIFEST_PAYLOAD_TYPE,
  parseEnvelope,
  type Envelope,
} from './manifests/dsse';
export { DEPLOYMENT_AUTHORIZATION, DIVISION_MANIFEST, KERNEL_KINDS } from './manifests/kernel-kinds';
export {
  MANIFEST_PREDICATE_TYPE,
  manifestDigest,
  manifestStatement,
  parseManifestSigningInput,
  parseManifestStatement,
  type ManifestStatement,
} from './manifests/manifest-statement';
export {
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  parseDocument,
  parseDocumentSigningInput,
  verifyDocument,
  type DocumentFormat,
  type DocumentVerdict,
  type DocumentVerification,
  type KernelDocument,
} from './chain/kernel-document';
export {
  ARCHIVE_DAY,
  archiveDayKey,
  archiveDayPrefix,
  dayOf,
  isDay,
  parseArchiveDayKey,
  whyDayNotLinked,
  type ArchiveDay,
  type ChainPoint,
} from './chain/archive-day';
export { AUDIT_REPORT, auditReportKeys, type AuditReportSeal } from './chain/audit-report';
export {
  APPROVAL_ACTIONS,
  APPROVAL_TYPE,
  approvalRecordBytes,
  approvalSigningInput,
  isGovernanceId,
  parseApprovalRecord,
  parseApprovalSigningInput,
  readApprovalRecord,
  type ApprovalAction,
  type ApprovalRecord,
} from './approvals/approval-record';
export {
  evolvePool,
  keyMaterial,
  POOL_STREAM,
  readApproverPool,
  type Approver,
  type ApproverKey,
  type ApproverPool,
  type PoolEvent,
  type PoolState,
  type VersionedPool,
} from './approvals/approver-pool';
export {
  countQuorum,
  decidingPools,
  eligibleApprovers,
  findSigner,
  isInvolved,
  requiredQuorum,
  type Involved,
  type NotCountedReason,
  type Quorum,
  type QuorumQuestion,
} from './approvals/quorum';
export {
  readUpgradeEvidence,
  UPGRADE_EVIDENCE_TYPE,
  verifyUpgradeEvidence,
  type UpgradeEvidence,
  type UpgradeEvidenceApproval,
  type UpgradeEvidenceVerdict,
} from './approvals/upgrade-evidence';
export { readApprovalSignature, verifyApproval, type ApprovalSignature } from './approvals/verify-approval';
export { base64Url, type WebAuthnAssertion, type WebAuthnCredential } from './approvals/webauthn-assertion';
export { readCoseKey, type CoseKey } from './keys/cose-key';
export { inclusionPath, leafHash, nodeHash, rootOf, treeRoot, type Subtree } from './log/merkle-tree';
export {
  checkpointSigningInput,
  logName,
  parseCheckpointSigningInput,
  parseSignedCheckpoint,
  signedCheckpoint,
  type LogCheckpoint,
  type SignedCheckpoint,
} from './log/log-checkpoint';
export { logProofText, parseLogProof, type LogProof } from './log/log-proof';
export {
  verifyManifestEnvelope,
  type ManifestVerdict,
  type ManifestVerification,
} from './manifests/verify-envelope';
export {
  checkedKeyOfPem,
  checkRawPublicKey,
  importPublicKey,
  pemOfRawKey,
  rawKeyOfPem,
  spkiOfRawKey,
} from './keys/public-key';
export {
  jwks,
  parseSigners,
  parseSignersFile,
  readSigner,
  signersJson,
  type SignerEntry,
  type SignerPurpose,
  type SignersFile,
  type SignerStatus,
} from './keys/signers';
export {
  evolveKeys,
  evolveSigners,
  isRegistryEvent,
  NO_KEYS,
  REGISTRY_TYPES,
  registeredSigners,
  samePublicKey,
  type EventPosition,
  type KeyDoubt,
  type KeyRegistryState,
  type ReattestedRange,
  type RegisteredKey,
} from './keys/key-registry';
export {
  parseSignerPossessionInput,
  signerPossessionInput,
  type SignerPossession,
} from './keys/signer-possession';
export {
  CROSS_SHARD_TOLERANCE_MS,
  KeyRing,
  type KeyRingOptions,
  type KeyUse,
  type KeyVerdict,
} from './keys/key-ring';
export { KeyTrust } from './keys/key-trust';
export { faultAt, type ChainFault, type ChainFaultCode, type EventFacts } from './chain/chain-fault';
export { ChainSequence, type ChainSequenceOptions, type ShardHead } from './chain/chain-sequence';
export {
  duplicateId,
  hasIdentity,
  IdentityCheckInMemory,
  streamFault,
  type IdentityCheck,
} from './chain/identity-check';
export { EventInspector, type Inspection } from './chain/inspect-event';
export {
  ChainVerifier,
  type ChainVerifierOptions,
  type ExpectedHead,
  type ReattestedEvents,
} from './chain/chain-verifier';
export { sha256Hex, verifyEd25519, verifyEd25519Async } from '#evidence-crypto';
