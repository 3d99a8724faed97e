import { isTimestamp } from '../../json/time';
import { EvidenceError } from '../../evidence.error';
import { exactObject } from '../../json/exact-object';
import { type JsonObject, type JsonValue } from '../../json/json-value';
import { parseStrictJson } from '../../json/strict-json.parser';
import { type ApproverKey } from '../approver-pool';

export const UPGRADE_EVIDENCE_TYPE = 'illuvrse-kernel/upgrade-evidence/v1';

/** Everything about one upgrade in one file (docs/spec/approval.md, section 6). */
export interface UpgradeEvidence {
  type: typeof UPGRADE_EVIDENCE_TYPE;
  origin: string;
  upgradeId: string;
  /** Time at which the file was made. */
  issuedAt: string;
  manifest: JsonObject;
  /** The canonical event 0:1, `kernel.founded`. */
  founded: string;
  /** All canonical events of the upgrade's stream, in order. */
  events: string[];
  /** All events of the pool. */
  pool: string[];
  /** All `signer.*` events up to the checkpoint, in order: they tell which key could sign where. */
  signers: string[];
  /** Each approval, rejection and ratification, for readers, in the order of the events. */
  approvals: UpgradeEvidenceApproval[];
  /**
   * Proofs that `founded`, then each of `events`, `pool` and `signers`, is in the log of shard 0, up to one published
   * checkpoint (c2sp.org/tlog-proof). Empty when none was published yet.
   */
  proofs: string[];
}

/** An approval with its key, and the positions in the chain at which both were recorded. */
export interface UpgradeEvidenceApproval {
  approvalId: string;
  position: string;
  record: JsonObject;
  signature: JsonValue;
  key: ApproverKey;
  keyRegisteredAt: string;
}

/** A bundle of a pool of 50 with a hundred changes stays below this; anything larger is an attack, not evidence. */
const MAX_EVENTS = 5_000;
const MEMBERS = [
  'type',
  'origin',
  'upgradeId',
  'issuedAt',
  'manifest',
  'founded',
  'events',
  'pool',
  'signers',
  'approvals',
  'proofs',
];

/** The events in the order in which `proofs` proves them. */
export function provenEvents({
  founded,
  events,
  pool,
  signers,
}: Pick<UpgradeEvidence, 'founded' | 'events' | 'pool' | 'signers'>): string[] {
  return [founded, ...events, ...pool, ...signers];
}

/** @throws EvidenceError `invalid_upgrade_evidence`, or the code with which strict JSON refuses the text */
export function readUpgradeEvidence(file: Uint8Array | string): UpgradeEvidence {
  const root = exactObject(parseStrictJson(file), MEMBERS);
  if (root === null) throw refuse('', `it must have ${MEMBERS.join(', ')}, nothing else`);
  if (root['type'] !== UPGRADE_EVIDENCE_TYPE) throw refuse('/type', `type must be ${UPGRADE_EVIDENCE_TYPE}`);
  for (const name of ['origin', 'upgradeId', 'founded']) {
    if (typeof root[name] !== 'string') throw refuse(`/${name}`, `${name} must be a text`);
  }
  if (!isTimestamp(root['issuedAt'])) throw refuse('/issuedAt', 'issuedAt must be a time');
  if (!isObject(root['manifest'])) throw refuse('/manifest', 'the manifest must be an object');
  for (const name of ['events', 'pool', 'signers']) {
    if (!isTexts(root[name]) || root[name].length > MAX_EVENTS) {
      throw refuse(`/${name}`, `${name} must be a list of at most ${MAX_EVENTS} canonical events, as texts`);
    }
  }
  if (!Array.isArray(root['approvals'])) throw refuse('/approvals', 'approvals must be a list');
  const { proofs } = root;
  const evidence = root as unknown as UpgradeEvidence;
  if (!isTexts(proofs) || (proofs.length > 0 && proofs.length !== provenEvents(evidence).length)) {
    throw refuse(
      '/proofs',
      'proofs must be a list of texts, one for founded and for each of events, pool and signers, or empty',
    );
  }
  return evidence;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: JsonValue | undefined): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function refuse(pointer: string, message: string): EvidenceError {
  return new EvidenceError('invalid_upgrade_evidence', `This is no evidence of an upgrade: ${message}.`, {
    pointer,
  });
}
