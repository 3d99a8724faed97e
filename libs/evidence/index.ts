/**
 * The formats of the kernel's evidence (docs/spec): strict JSON, canonical JSON, audit events, manifest signatures,
 * signers and chain verification. It runs in Node.js and in browsers: `#evidence-crypto` resolves to the right one.
 */
export { CodedError } from './coded-error';
export { EvidenceError } from './evidence.error';
export { jsonPointer, MAX_DEPTH, type JsonObject, type JsonValue } from './json/json-value';
export { parseStrictJson } from './json/strict-json.parser';
export { assertStrictJson } from './json/strict-json.assertion';
export { canonicalize } from './json/canonical-json';
export { base64Decode, base64Url } from './json/base64';
export { hexDecode, hexEncode } from './json/hex';
export { printable } from './json/printable-text';
export { jsonDiff } from './json/json-diff';
export { csvLine } from './json/csv-line';
export { sameBytes } from './json/same-bytes';
export { isInstant } from './json/instant';
export { isRfc3339 } from './json/time';
export {
  archiveKey,
  MAX_EVENT_BYTES,
  type Actor,
  type AuditEvent,
  type UnhashedEvent,
} from './chain/audit-event';
export { genesisHash, isOrigin } from './chain/origin';
export {
  auditGroupInput,
  auditSigningInput,
  inputOfEvent,
  parseAuditSigningInput,
} from './chain/audit-signing-input';
export { groupTree, MAX_GROUP_EVENTS } from './chain/event-group';
export { distinctSignatures, type SignatureCheck } from './chain/distinct-signatures';
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
  manifestDigest,
  manifestDivision,
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
  type KernelDocument,
} from './chain/kernel-document';
export {
  ARCHIVE_DAY,
  archiveDayKey,
  archiveDayPrefix,
  dayOf,
  parseArchiveDayKey,
  whyDayNotLinked,
  type ArchiveDay,
  type ChainPoint,
} from './chain/archive-day';
export { AUDIT_REPORT, auditReportKeys, type AuditReportSeal } from './chain/audit-report';
export {
  APPROVAL_TYPE,
  approvalRecordBytes,
  approvalSigningInput,
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
} from './approvals/approver-pool';
export {
  countQuorum,
  decidingPools,
  findSigner,
  isInvolved,
  requiredQuorum,
  type Involved,
  type Quorum,
} from './approvals/quorum';
export {
  provenEvents,
  UPGRADE_EVIDENCE_TYPE,
  type UpgradeEvidence,
  type UpgradeEvidenceApproval,
} from './approvals/upgrade-evidence/upgrade-evidence';
export {
  verifyUpgradeEvidence,
  type UpgradeEvidenceVerdict,
} from './approvals/upgrade-evidence/verify-upgrade-evidence';
export { readApprovalSignature, verifyApproval, type ApprovalSignature } from './approvals/verify-approval';
export { type WebAuthnAssertion } from './approvals/webauthn-assertion';
export {
  consistencyPath,
  emptyRoot,
  inclusionPath,
  isConsistent,
  leafHash,
  nodeHash,
  rootOf,
  treeRoot,
  type Subtree,
  type TreeState,
} from './log/merkle-tree';
export {
  parseSignatureLines,
  parseSignedNote,
  signatureLine,
  signedNote,
  type NoteSignature,
  type SignedNote,
} from './log/signed-note';
export {
  isSameKeyPair,
  noteKeyHash,
  noteKeyText,
  parseNoteKey,
  signatureBy,
  type NoteKey,
  type NoteKeyType,
  type NoteVerdict,
} from './log/note-key';
export { cosignatureInput, timestampedSignature } from './log/cosignature';
export { parseTreeSize, type TreeHead } from './log/tree-head';
export {
  checkpointKey,
  checkpointSigningInput,
  checkpointText,
  logName,
  parseCheckpointNote,
  parseCheckpointSigningInput,
  parseSignedCheckpoint,
  signedCheckpoint,
  type SignedCheckpoint,
} from './log/log-checkpoint';
export { GrowingTree } from './log/growing-tree';
export { asksForWitnesses, judgeCheckpoint, policyOfRoot } from './log/judge-checkpoint';
export { verifyReceipt, type LogPlace, type ReceiptVerdict } from './log/verify-receipt';
export { includes, logProofText, parseLogProof, type LogProof } from './log/log-proof';
export {
  isQuorum,
  judgeByPolicy,
  parseLogPolicy,
  logTrustOf,
  witnessQuorum,
  type LogPolicy,
} from './log/log-policy';
export { addCheckpointText, parseAddCheckpoint } from './log/witness-request';
export { verifyManifestEnvelope } from './manifests/verify-envelope';
export { verifyRecordedManifest, type RecordedManifestVerdict } from './manifests/verify-recorded-manifest';
export {
  checkedKeyOfPem,
  checkRawPublicKey,
  importPublicKey,
  pemOfRawKey,
  rawKeyOfPem,
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
  type TrustedSigner,
} from './keys/signers';
export {
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  readFounding,
  type Founding,
} from './keys/founding';
export { whyOutside, type KeySpan, type ShardPosition } from './keys/key-span';
export { emptyHeads, headsPayload, MAX_SHARDS, type StatedHead } from './keys/shard-heads';
export { type FirstPool, type LogTrust } from './keys/trust-members';
export { trustRootOf, type TrustRoot } from './keys/trust-root';
export {
  evolveKeys,
  GOVERNANCE_SHARD,
  isRegistryEvent,
  NO_KEYS,
  REGISTRY_TYPES,
  registeredSigners,
  spannedSigners,
  spanOf,
  samePublicKey,
  type KeyRegistryState,
  type ReattestedRange,
  type RegisteredKey,
} from './keys/key-registry';
export {
  parseSignerPossessionInput,
  signerPossessionInput,
  type SignerPossession,
} from './keys/signer-possession';
export { KeyRing, type KeyUse, type KeyVerdict, type ProvenCheckpoint } from './keys/key-ring';
export { KeyTrust } from './keys/key-trust';
export { faultAt, type ChainFault, type EventFacts } from './chain/chain-fault';
export { type ShardHead } from './chain/chain-sequence';
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
  type ExpectedHead,
  type LoggedEvents,
  type ReattestedEvents,
} from './chain/chain-verifier';
export { sha256Hex, verifyEd25519, verifyEd25519Async } from '#evidence-crypto';
