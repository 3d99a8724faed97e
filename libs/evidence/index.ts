/**
 * The formats of the kernel's evidence (docs/spec): strict JSON, canonical JSON, audit events, manifest signatures,
 * signers and chain verification. This door binds node:crypto; `core/` runs anywhere.
 */
import { type KeyObject } from 'node:crypto';
import { type UnhashedEvent } from './chain/audit-event';
import { ChainVerifierCore, type ChainVerifierOptions } from './chain/chain-verifier';
import { EventInspector } from './chain/inspect-event';
import { KeyTrustCore } from './keys/key-trust';
import { type JsonValue } from './json/json-value';
import {
  verifyDocumentWith,
  type DocumentFormat,
  type DocumentVerdict,
  type DocumentVerification,
  type KernelDocument,
} from './chain/kernel-document';
import { manifestDigestWith } from './manifests/manifest-statement';
import { genesisHashWith } from './chain/origin';
import { hashEventWith, sealEventWith, type SealedEvent } from './chain/seal-event';
import { type SignerEntry } from './keys/signers';
import {
  verifyManifestEnvelopeWith,
  type ManifestVerdict,
  type ManifestVerification,
} from './manifests/verify-envelope';
import { type ApprovalRecord } from './approvals/approval-record';
import { type LogCheckpoint, signedCheckpoint as signedCheckpointWith } from './log/log-checkpoint';
import { checkedKeyOfPem } from './keys/public-key';
import { type UpgradeEvidenceVerdict, verifyUpgradeEvidenceWith } from './approvals/upgrade-evidence';
import { type ApproverKey } from './approvals/approver-pool';
import { type ApprovalSignature, judgeApprovalSignature } from './approvals/verify-approval';
import { nodeApprovalCrypto, nodeCrypto, sha256Hex } from './node-crypto';

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
export { assertOrigin, isOrigin } from './chain/origin';
export {
  auditSigningInput,
  parseAuditSigningInput,
  type AuditSigningInput,
} from './chain/audit-signing-input';
export { canonicalEventBytes, type SealedEvent } from './chain/seal-event';
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
  type UpgradeEvidence,
  type UpgradeEvidenceApproval,
  type UpgradeEvidenceVerdict,
} from './approvals/upgrade-evidence';
export { readApprovalSignature, type ApprovalSignature } from './approvals/verify-approval';
export { base64Url, type WebAuthnAssertion, type WebAuthnCredential } from './approvals/webauthn-assertion';
export { readCoseKey, type CoseKey } from './keys/cose-key';
export { inclusionPath, leafHash, nodeHash, rootOf, treeRoot, type Subtree } from './log/merkle-tree';
export {
  checkpointSigningInput,
  logName,
  parseCheckpointSigningInput,
  parseSignedCheckpoint,
  type LogCheckpoint,
  type SignedCheckpoint,
} from './log/log-checkpoint';
export { logProofText, parseLogProof, type LogProof } from './log/log-proof';
export { type ManifestVerdict, type ManifestVerification } from './manifests/verify-envelope';
export {
  checkedKeyOfPem,
  checkRawPublicKey,
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
export { type ChainVerifierOptions, type ExpectedHead, type ReattestedEvents } from './chain/chain-verifier';
export { type ApprovalCrypto, type EvidenceCrypto } from './evidence-crypto';
export {
  importPublicKey,
  nodeApprovalCrypto,
  nodeCrypto,
  sha256Hex,
  verifyEd25519,
  verifyEd25519Async,
} from './node-crypto';

/** Hex SHA-256 of `JCS(manifest)`: the same for every member order and number spelling. */
export function manifestDigest(manifest: JsonValue): string {
  return manifestDigestWith(sha256Hex, manifest);
}

/** `prevHash` of position 1 of a shard. */
export function genesisHash(origin: string, shard: number): string {
  return genesisHashWith(sha256Hex, origin, shard);
}

/**
 * Hot path: canonicalises an event once, hashes it, gives what is to be signed, and completes it with the signature.
 * @param payload `canonicalize(event.payload, 1)`, for who has it already: it is half of the work
 * @throws EvidenceError `invalid_event`, `event_too_large`, `invalid_origin`, or what `canonicalize` refuses
 */
export function sealEvent(event: UnhashedEvent, origin: string, payload?: string): SealedEvent {
  return sealEventWith(sha256Hex, event, origin, payload);
}

/** Hex SHA-256 of `JCS(event without hash and signature)`. */
export function hashEvent(event: UnhashedEvent): string {
  return hashEventWith(sha256Hex, event);
}

/** Checks a manifest signature offline; never throws for what it is given, but says why it is not valid. */
export function verifyManifestEnvelope(verification: ManifestVerification): ManifestVerdict {
  return verifyManifestEnvelopeWith(nodeCrypto, verification);
}

/**
 * Checks the signature of an approval offline, Ed25519 or WebAuthn.
 * @returns why it is not valid; empty when it is
 */
export function verifyApproval(
  record: ApprovalRecord,
  signature: ApprovalSignature,
  key: ApproverKey,
): string[] {
  return judgeApprovalSignature(nodeApprovalCrypto, record, signature, key);
}

/** Checks the evidence of an upgrade offline, with nothing but the trust root. Never throws for what it is given. */
export function verifyUpgradeEvidence(
  file: Uint8Array | string,
  trust: { signers: readonly SignerEntry[]; origin: string },
): UpgradeEvidenceVerdict {
  return verifyUpgradeEvidenceWith(nodeApprovalCrypto, file, trust);
}

/**
 * The signed note of a checkpoint (docs/spec/transparency-log.md).
 * @param publicKeyPem of the key that made the signature
 * @throws EvidenceError `invalid_checkpoint`
 */
export function signedCheckpoint(
  checkpoint: LogCheckpoint,
  publicKeyPem: string,
  signature: Uint8Array,
): string {
  return signedCheckpointWith(
    nodeApprovalCrypto.sha256,
    checkpoint,
    checkedKeyOfPem(publicKeyPem),
    signature,
  );
}

/** Checks a day manifest or the seal of an audit report offline; never throws for what it is given, but says why not. */
export function verifyDocument<T extends KernelDocument>(
  format: DocumentFormat<T>,
  verification: DocumentVerification,
): DocumentVerdict<T> {
  return verifyDocumentWith(nodeCrypto, format, verification);
}

/** Checks a chain from canonical event bytes, one event at a time. */
export class ChainVerifier extends ChainVerifierCore<KeyObject> {
  constructor(options: ChainVerifierOptions) {
    super(nodeCrypto, options);
  }
}

/** Which keys a follower of the chain trusts, from a trust root and the chain's own registry events. */
export class KeyTrust extends KeyTrustCore<KeyObject> {
  /** @param roots null: the first audit key that registers itself is trusted */
  constructor(origin: string, roots: readonly SignerEntry[] | null) {
    super(nodeCrypto, origin, roots);
  }
}

/** Checks of single events: format, hash, signature. */
export function createEventInspector(
  origin: string,
  publicKey: (kid: string) => Uint8Array | undefined,
  checkSignatures: boolean,
): EventInspector<KeyObject> {
  return new EventInspector(nodeCrypto, origin, publicKey, checkSignatures);
}
