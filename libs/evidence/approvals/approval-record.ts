import { HEX_SHA256 } from '../chain/audit-event';
import { isTimestamp } from '../json/time';
import { isCount } from '../json/count';
import { canonicalize } from '../json/canonical-json';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { isOrigin } from '../chain/origin';
import { parseCanonicalJson } from '../json/strict-json.parser';

export const APPROVAL_TYPE = 'illuvrse-kernel/approval/v1';

export const APPROVAL_ACTIONS = ['approve', 'reject', 'ratify'] as const;
export type ApprovalAction = (typeof APPROVAL_ACTIONS)[number];

/** The record that an approver signs (docs/spec/approval.md, section 1). */
export interface ApprovalRecord {
  /** The governed kernel: an approval for another one means nothing here. */
  origin: string;
  upgradeId: string;
  /** Hex SHA-256 of the manifest's canonical bytes. */
  manifestSha256: string;
  /** Hex SHA-256 of the artifact that the manifest names, if it names one. */
  patchSha256: string | null;
  action: ApprovalAction;
  approverId: string;
  keyId: string;
  /** The pool that the approver signs as a member of, and its threshold. */
  poolVersion: number;
  threshold: number;
  /** RFC 3339 UTC with milliseconds. */
  approvedAt: string;
  /** Time from which it no longer counts. */
  expiresAt: string;
  notes: string | null;
}

/** Domain separation: the first line of the signed bytes. */
const PREFIX = `${APPROVAL_TYPE}\n`;
const MAX_NOTES = 4_000;
// eslint-disable-next-line no-control-regex -- control characters are what a name must not hold
const CONTROL = /[\u0000-\u001f\u007f]/;
const encoder = new TextEncoder();

const MEMBERS: Record<keyof ApprovalRecord, (value: JsonValue | undefined) => boolean> = {
  origin: isOrigin,
  upgradeId: isGovernanceId,
  manifestSha256: isSha256,
  patchSha256: (value) => value === null || isSha256(value),
  action: (value) => APPROVAL_ACTIONS.includes(value as ApprovalAction),
  approverId: isGovernanceId,
  keyId: isGovernanceId,
  poolVersion: (value) => isCount(value, 1),
  threshold: (value) => isCount(value, 1),
  approvedAt: isTimestamp,
  expiresAt: isTimestamp,
  notes: (value) =>
    value === null || (typeof value === 'string' && value.length <= MAX_NOTES && value.isWellFormed()),
};
const NAMES = ['type', ...Object.keys(MEMBERS)];

/** The canonical bytes of a record. @throws EvidenceError `invalid_approval` */
export function approvalRecordBytes(record: ApprovalRecord): Uint8Array<ArrayBuffer> {
  const value: JsonObject = { type: APPROVAL_TYPE, ...record };
  readRecord(value);
  return encoder.encode(canonicalize(value));
}

/** The bytes that an Ed25519 key signs; a WebAuthn challenge is their SHA-256. @throws EvidenceError `invalid_approval` */
export function approvalSigningInput(record: ApprovalRecord): Uint8Array<ArrayBuffer> {
  const bytes = approvalRecordBytes(record);
  const prefix = encoder.encode(PREFIX);
  const input = new Uint8Array(prefix.length + bytes.length);
  input.set(prefix);
  input.set(bytes, prefix.length);
  return input;
}

/** Reads a record: canonical, and exactly the members of the format. @throws EvidenceError `invalid_approval` */
export function parseApprovalRecord(bytes: Uint8Array | string): ApprovalRecord {
  let value: JsonValue;
  try {
    ({ value } = parseCanonicalJson(bytes));
  } catch (cause) {
    const pointer = cause instanceof EvidenceError ? cause.pointer : undefined;
    throw new EvidenceError('invalid_approval', 'The approval is not canonical JSON (RFC 8785).', {
      ...(pointer === undefined ? {} : { pointer }),
      cause,
    });
  }
  return readRecord(value);
}

/** Reads a signing input back: the first line, then exactly a record. @throws EvidenceError `invalid_signing_input`, `invalid_approval` */
export function parseApprovalSigningInput(input: Uint8Array): ApprovalRecord {
  const prefix = encoder.encode(PREFIX);
  if (!prefix.every((byte, i) => input[i] === byte)) {
    throw new EvidenceError(
      'invalid_signing_input',
      `What is signed must begin with the line ${APPROVAL_TYPE}.`,
    );
  }
  return parseApprovalRecord(input.subarray(prefix.length));
}

/** Reads a record that is already a value, in an event's payload for instance. @throws EvidenceError `invalid_approval` */
export function readApprovalRecord(value: JsonValue | undefined, base = ''): ApprovalRecord {
  return readRecord(value, base);
}

function readRecord(value: JsonValue | undefined, base = ''): ApprovalRecord {
  const refuse = (pointer: string, message: string): EvidenceError =>
    new EvidenceError('invalid_approval', `This is no approval record: ${message}.`, {
      pointer: `${base}${pointer}`,
    });
  const root = exactObject(value, NAMES);
  if (root === null) throw refuse('', `it must have ${NAMES.join(', ')}, nothing else`);
  if (root['type'] !== APPROVAL_TYPE) throw refuse('/type', `type must be ${APPROVAL_TYPE}`);
  for (const [name, fits] of Object.entries(MEMBERS)) {
    if (!fits(root[name])) throw refuse(`/${name}`, `the value of ${name} does not fit`);
  }
  const { type: _, ...members } = root;
  const record = members as unknown as ApprovalRecord;
  if (record.expiresAt <= record.approvedAt) {
    throw refuse('/expiresAt', 'it must expire after it was given');
  }
  return record;
}

/** Ids of upgrades, approvers and their keys: they are used in stream names, file names and lines. */
export function isGovernanceId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= 128 &&
    value.isWellFormed() &&
    !CONTROL.test(value)
  );
}

function isSha256(value: unknown): boolean {
  return typeof value === 'string' && HEX_SHA256.test(value);
}
