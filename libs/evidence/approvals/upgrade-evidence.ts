import {
  APPROVAL_TYPE,
  type ApprovalAction,
  type ApprovalRecord,
  readApprovalRecord,
} from './approval-record';
import { evolvePool, type ApproverKey, POOL_STREAM, type PoolState } from './approver-pool';
import { HEX_SHA256, isTimestamp, type AuditEvent } from '../chain/audit-event';
import { base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { EventInspector } from '../chain/inspect-event';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { KeyRing } from '../keys/key-ring';
import { logName, whyCheckpointNotSigned } from '../log/log-checkpoint';
import { includes, type LogProof, parseLogProof } from '../log/log-proof';
import { manifestDigest } from '../manifests/manifest-statement';
import { parseEvent } from '../chain/parse-event';
import { checkedKeyOfPem } from '../keys/public-key';
import { countQuorum, decidingPools, findSigner, type Involved, requiredQuorum } from './quorum';
import { type TrustedSigner } from '../keys/signers';
import { type TrustRoot } from '../keys/trust-root';
import { parseStrictJson } from '../json/strict-json.parser';
import { readApprovalSignature, verifyApproval } from './verify-approval';
import { verifyManifestEnvelope } from '../manifests/verify-envelope';

export const UPGRADE_EVIDENCE_TYPE = 'illuvrse-kernel/upgrade-evidence/v1';

/** Everything about one upgrade in one file (docs/spec/approval.md, section 6). */
export interface UpgradeEvidence {
  type: typeof UPGRADE_EVIDENCE_TYPE;
  origin: string;
  upgradeId: string;
  /** Time at which the file was made. */
  issuedAt: string;
  manifest: JsonObject;
  /** All canonical events of the upgrade's stream, in order. */
  events: string[];
  /** Events of the pool. */
  pool: string[];
  /** Events of the kernel's signing keys: they tell which key could sign where. */
  signers: string[];
  /** Each approval, for readers, with its key and the positions in the chain at which both were recorded. */
  approvals: UpgradeEvidenceApproval[];
  /** The head of the shard when the file was made: a head to expect of a chain that is verified as a whole. */
  head: { shard: number; seq: number; hash: string };
  /**
   * Proofs that each of `events`, then each of `pool`, is in the shard's log, up to one signed checkpoint
   * (c2sp.org/tlog-proof). Empty when none could be signed.
   */
  proofs: string[];
}

export interface UpgradeEvidenceApproval {
  approvalId: string;
  position: string;
  record: JsonObject;
  signature: JsonValue;
  key: ApproverKey;
  keyRegisteredAt: string;
}

export interface UpgradeEvidenceVerdict {
  upgradeId: string | null;
  /** Status by the last event that gives one; null when nothing could be read. */
  status: string | null;
  /** The approvers whose signatures decided. */
  approvers: string[];
  required: number | null;
  /** The checkpoint whose tree all of them are in; null when the file has no proofs. */
  log: { name: string; size: number; root: string } | null;
  /** Positions and hashes of the events: heads to expect of the chain. */
  events: { shard: number; seq: number; hash: string }[];
  /** Empty when the file proves what it says; each starts with a stable word and a colon. */
  faults: string[];
}

/** A bundle of a pool of 50 with a hundred changes stays below this; anything larger is an attack, not evidence. */
const MAX_EVENTS = 20_000;
/** Queueing and signing lie between the moment a decision is based on and the time of its event. */
const DECISION_DELAY_MS = 5 * 60_000;

const STATUS_TYPES: Record<string, string> = {
  'upgrade.proposed': 'proposed',
  'upgrade.approved': 'approved',
  'upgrade.rejected': 'rejected',
  'upgrade.expired': 'expired',
  'upgrade.withdrawn': 'withdrawn',
  'upgrade.applied': 'applied',
  'upgrade.emergency_applied': 'emergency_applied',
  'upgrade.ratified': 'ratified',
  'upgrade.rollback_required': 'rollback_required',
  'upgrade.completed': 'completed',
  'upgrade.failed': 'failed',
  'upgrade.rolled_back': 'rolled_back',
};
const GIVEN_TYPES: Record<string, ApprovalAction> = {
  'upgrade.approval_given': 'approve',
  'upgrade.rejection_given': 'reject',
  'upgrade.ratification_given': 'ratify',
};

/**
 * Checks the evidence of an upgrade with nothing but the trust root: every event's format, hash and signature, that no
 * event of its streams is missing, every approval's signature under the key that the pool had registered, and the
 * quorum at the moment of each decision, counted again. Never throws, whatever the input.
 */
export function verifyUpgradeEvidence(file: Uint8Array | string, trust: TrustRoot): UpgradeEvidenceVerdict {
  const { origin } = trust;
  const verdict: UpgradeEvidenceVerdict = {
    upgradeId: null,
    status: null,
    approvers: [],
    required: null,
    log: null,
    events: [],
    faults: [],
  };
  let bundle: UpgradeEvidence;
  try {
    bundle = readUpgradeEvidence(file);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const at = error.pointer === undefined || error.pointer === '' ? '' : ` (at ${error.pointer})`;
    return { ...verdict, faults: [`${error.code}: ${error.message}${at}`] };
  }
  verdict.upgradeId = bundle.upgradeId;
  if (bundle.origin !== origin) {
    verdict.faults.push(`origin: the file is of ${bundle.origin}, not of ${origin}`);
    return verdict;
  }
  const events = new BundleEvents(trust, verdict);
  events.learn(bundle.signers);
  const signers = events.signers();
  const pool = events.stream(bundle.pool, POOL_STREAM);
  const upgrade = events.stream(bundle.events, `upgrade/${bundle.upgradeId}`);
  new DecisionReplay(bundle, signers, verdict).run(pool, upgrade);
  proveInclusion(bundle, signers, verdict);
  return verdict;
}

/** @throws EvidenceError `invalid_upgrade_evidence`, or the code with which strict JSON refuses the text */
export function readUpgradeEvidence(file: Uint8Array | string): UpgradeEvidence {
  const value = parseStrictJson(file);
  const names = [
    'type',
    'origin',
    'upgradeId',
    'issuedAt',
    'manifest',
    'events',
    'pool',
    'signers',
    'approvals',
    'head',
    'proofs',
  ];
  const refuse = (pointer: string, message: string) =>
    new EvidenceError('invalid_upgrade_evidence', `This is no evidence of an upgrade: ${message}.`, {
      pointer,
    });
  const root = exactObject(value, names);
  if (root === null) throw refuse('', `it must have ${names.join(', ')}, nothing else`);
  if (root['type'] !== UPGRADE_EVIDENCE_TYPE) throw refuse('/type', `type must be ${UPGRADE_EVIDENCE_TYPE}`);
  for (const name of ['origin', 'upgradeId']) {
    if (typeof root[name] !== 'string') throw refuse(`/${name}`, `${name} must be a text`);
  }
  if (!isTimestamp(root['issuedAt'])) throw refuse('/issuedAt', 'issuedAt must be a time');
  if (exactObject(root['manifest'], Object.keys(root['manifest'] ?? {})) === null) {
    throw refuse('/manifest', 'the manifest must be an object');
  }
  for (const name of ['events', 'pool', 'signers']) {
    const list = root[name];
    const fits =
      Array.isArray(list) && list.length <= MAX_EVENTS && list.every((one) => typeof one === 'string');
    if (!fits)
      throw refuse(`/${name}`, `${name} must be a list of at most ${MAX_EVENTS} canonical events, as texts`);
  }
  const proofs = root['proofs'];
  const proven = Array.isArray(proofs) && proofs.every((one) => typeof one === 'string');
  const lists = ['events', 'pool'].map((name) => (root[name] as string[]).length);
  if (!proven || (proofs.length > 0 && proofs.length !== (lists[0] ?? 0) + (lists[1] ?? 0))) {
    throw refuse('/proofs', 'proofs must be a list of texts, one for each of events and pool, or empty');
  }
  if (!Array.isArray(root['approvals'])) throw refuse('/approvals', 'approvals must be a list');
  const head = exactObject(root['head'], ['shard', 'seq', 'hash']);
  if (head === null || !HEX_SHA256.test(textOf(head['hash']))) {
    throw refuse('/head', 'head must have shard, seq and hash');
  }
  return root as unknown as UpgradeEvidence;
}

/** Reads canonical events, and reports what is wrong with each and with their order. */
class BundleEvents {
  private readonly inspector: EventInspector;
  private readonly ring: KeyRing;

  constructor(
    trust: TrustRoot,
    private readonly verdict: UpgradeEvidenceVerdict,
  ) {
    this.ring = new KeyRing(trust, { partial: true });
    this.inspector = new EventInspector(
      trust.origin,
      (kid) => {
        const root = this.ring.root(kid);
        return root === undefined ? undefined : checkedKeyOfPem(root.public_key_pem);
      },
      true,
    );
  }

  /** The keys of the trust root, as far as these events speak of them. */
  signers(): TrustedSigner[] {
    return this.ring.signers();
  }

  /** Takes in the registry events that keys of the trust root signed. */
  learn(lines: readonly string[]): void {
    const events = lines.flatMap((line) => this.sound(line) ?? []).sort((a, b) => a.seq - b.seq);
    for (const event of events) {
      try {
        this.ring.apply(event);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        this.fault(event, 'registry', error.message);
      }
    }
  }

  /** A whole stream: every version from 1, in the order of the chain. */
  stream(lines: readonly string[], name: string): AuditEvent[] {
    const events: AuditEvent[] = [];
    for (const line of lines) {
      const event = this.sound(line);
      if (event === null) continue;
      const before = events.at(-1);
      if (event.stream !== name)
        this.fault(event, 'stream', `it is of the stream ${event.stream}, not of ${name}`);
      else if (event.streamVersion !== events.length + 1) {
        this.fault(
          event,
          'stream',
          `it is number ${event.streamVersion} of ${name}, and number ${events.length + 1} was due`,
        );
      } else if (before !== undefined && (before.shard !== event.shard || before.seq >= event.seq)) {
        this.fault(event, 'order', `it comes after ${before.shard}:${before.seq} in its stream`);
      }
      const { signerKid: kid, shard, seq } = event;
      const judged = this.ring.judge({ kid, shard, seq });
      if (!judged.valid) this.fault(event, judged.code, judged.message);
      this.verdict.events.push({ shard, seq, hash: event.hash });
      events.push(event);
    }
    if (events.length === 0) this.verdict.faults.push(`stream: there is no event of ${name}`);
    return events;
  }

  private sound(line: string): AuditEvent | null {
    const { event, faults } = this.inspector.inspectWhole(line);
    for (const { code, shard, seq, message } of faults) {
      this.verdict.faults.push(`${code}: ${shard ?? '?'}:${seq ?? '?'}: ${message}`);
    }
    return event;
  }

  private fault({ shard, seq }: AuditEvent, code: string, message: string): void {
    this.verdict.faults.push(`${code}: ${shard}:${seq}: ${message}`);
  }
}

interface Proposal {
  manifestSha256: string;
  patchSha256: string | null;
  threshold: number;
  involved: Set<string>;
  emergency: boolean;
  /** Milliseconds since 1970: from then on an emergency application is not ratified any more. */
  ratifyBy: number | null;
  records: ApprovalRecord[];
}

/** Goes through both streams in the order of the chain and makes every decision again. */
class DecisionReplay {
  private pool: PoolState | null = null;
  private proposal: Proposal | null = null;
  private readonly given = new Map<string, { event: AuditEvent; key: ApproverKey; registeredAt: string }>();

  constructor(
    private readonly bundle: UpgradeEvidence,
    private readonly signers: readonly TrustedSigner[],
    private readonly verdict: UpgradeEvidenceVerdict,
  ) {}

  run(pool: readonly AuditEvent[], upgrade: readonly AuditEvent[]): void {
    const ordered = [...pool, ...upgrade].sort((a, b) => a.shard - b.shard || a.seq - b.seq);
    if (new Set(ordered.map(({ shard }) => shard)).size > 1) {
      this.verdict.faults.push('order: the events of pool and upgrade lie in different shards');
    }
    for (const event of ordered) {
      try {
        if (event.stream === POOL_STREAM) this.pool = evolvePool(this.pool, event);
        else this.step(event);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        this.fault(event, error.code, error.message);
      }
    }
    this.compareApprovals();
  }

  private step(event: AuditEvent): void {
    this.verdict.status = STATUS_TYPES[event.type] ?? this.verdict.status;
    if (event.type === 'upgrade.proposed') {
      this.proposed(event);
      return;
    }
    const { proposal, pool } = this;
    if (proposal === null || pool === null) {
      this.fault(event, 'order', 'it comes before proposal and pool');
      return;
    }
    const action = GIVEN_TYPES[event.type];
    if (action !== undefined) this.signed(event, action, proposal, pool);
    switch (event.type) {
      case 'upgrade.approved':
      case 'upgrade.applied':
        this.decided(event, 'approve', proposal, pool);
        break;
      case 'upgrade.emergency_applied':
        proposal.emergency = true;
        proposal.records = [];
        proposal.involved.add(event.actor.id);
        proposal.ratifyBy = Date.parse(textOf(event.payload['ratifyBy']));
        break;
      case 'upgrade.ratified':
        this.decided(event, 'ratify', proposal, pool);
        break;
      default:
    }
    if (event.type === 'upgrade.applied' || event.type === 'upgrade.emergency_applied')
      this.authorized(event);
  }

  private proposed(event: AuditEvent): void {
    const { payload, actor } = event;
    const digest = manifestDigest(this.bundle.manifest);
    const recorded = manifestDigest(payload['manifest'] ?? null);
    if (digest !== payload['manifestSha256'] || recorded !== digest) {
      this.fault(
        event,
        'digest',
        `the manifest's SHA-256 is ${digest}, the proposal says ${textOf(payload['manifestSha256'])}`,
      );
    }
    const inForce = payload['pool'] as JsonObject | undefined;
    this.proposal = {
      manifestSha256: digest,
      patchSha256: (payload['patchSha256'] as string | null | undefined) ?? null,
      threshold: Number(inForce?.['threshold']),
      involved: new Set([actor.id]),
      emergency: false,
      ratifyBy: null,
      records: [],
    };
    if (this.pool === null) return this.fault(event, 'order', 'it comes before the pool');
    if (inForce?.['version'] !== this.pool.inForce.version) {
      this.fault(
        event,
        'pool',
        `it names another pool than version ${this.pool.inForce.version}, which was in force`,
      );
    }
    const demanded = Math.max(...decidingPools(this.pool).map((one) => one.pool.threshold));
    if (this.proposal.threshold !== demanded) {
      this.fault(event, 'pool', `it names another threshold than ${demanded}, which was demanded`);
    }
  }

  private signed(event: AuditEvent, action: ApprovalAction, proposal: Proposal, pool: PoolState): void {
    const { payload } = event;
    const record = readApprovalRecord(payload['record'], '/payload/record');
    const signature = readApprovalSignature(payload['signature'], '/payload/signature');
    const aboutPool = this.isAboutPool(pool);
    const expected: Partial<ApprovalRecord> = {
      origin: this.bundle.origin,
      upgradeId: this.bundle.upgradeId,
      manifestSha256: proposal.manifestSha256,
      patchSha256: proposal.patchSha256,
      action,
      poolVersion: decidingPools(pool, aboutPool)[0]?.version ?? 0,
      threshold: requiredQuorum(pool, proposal.threshold, aboutPool),
    };
    for (const [name, value] of Object.entries(expected)) {
      const said = record[name as keyof ApprovalRecord];
      if (said !== value)
        this.fault(event, 'record', `its record says ${name} ${String(said)}, not ${String(value)}`);
    }
    const signer = findSigner(pool, record.approverId, record.keyId, aboutPool);
    if ('refusal' in signer) {
      this.fault(
        event,
        'key',
        `${record.approverId} could not sign with ${record.keyId} (${signer.refusal})`,
      );
      return;
    }
    const wrong = verifyApproval(record, signature, signer.key);
    for (const reason of wrong) this.fault(event, 'signature', `${record.approverId}: ${reason}`);
    if (wrong.length > 0) return;
    proposal.records.push(record);
    const registered = pool.registered.get(signer.material);
    this.given.set(textOf(payload['approvalId']), {
      event,
      key: signer.key,
      registeredAt: registered === undefined ? '' : `${registered.shard}:${registered.seq}`,
    });
  }

  private decided(event: AuditEvent, action: ApprovalAction, proposal: Proposal, pool: PoolState): void {
    const { payload, ts } = event;
    const decidedAt = payload['decidedAt'];
    const now = typeof decidedAt === 'string' && isTimestamp(decidedAt) ? Date.parse(decidedAt) : NaN;
    const delay = Date.parse(ts) - now;
    if (!(delay >= 0 && delay <= DECISION_DELAY_MS)) {
      this.fault(event, 'time', `it was decided at ${textOf(decidedAt)} and recorded at ${ts}`);
      return;
    }
    if (action === 'ratify' && !(proposal.ratifyBy !== null && now < proposal.ratifyBy)) {
      this.fault(event, 'time', `it was ratified at ${textOf(decidedAt)}, when its time was over`);
    }
    if (payload['poolEvents'] !== pool.events) {
      this.fault(
        event,
        'pool',
        `it rests on ${textOf(payload['poolEvents'])} events of the pool, and the file has ${pool.events} before it`,
      );
    }
    const involved: Involved = { principals: proposal.involved };
    const quorum = countQuorum({
      action,
      records: proposal.records,
      pool,
      threshold: proposal.threshold,
      involved,
      now,
      aboutPool: this.isAboutPool(pool),
    });
    if (!quorum.reached) {
      this.fault(
        event,
        'quorum',
        `${quorum.approvers.length} of ${quorum.required} approvals counted (${quorum.approvers.join(', ')})`,
      );
    }
    const said = payload['approvers'];
    if (!sameJson(said, quorum.approvers)) {
      this.fault(
        event,
        'quorum',
        `it names other approvers than those that counted: ${quorum.approvers.join(', ')}`,
      );
    }
    if (event.type !== 'upgrade.approved') {
      this.verdict.approvers = quorum.approvers;
      this.verdict.required = quorum.required;
    }
  }

  private authorized(event: AuditEvent): void {
    const envelope = event.payload['authorization'];
    if (envelope === null || envelope === undefined) return;
    const { valid, reasons } = verifyManifestEnvelope({
      manifest: this.bundle.manifest,
      envelope,
      keys: this.signers,
      origin: this.bundle.origin,
      // The authorisation is in the event itself.
      recordedAt: { shard: event.shard, seq: event.seq },
    });
    if (!valid) for (const reason of reasons) this.fault(event, 'authorization', reason);
  }

  /** Checks that the file shows readers what its events say. */
  private compareApprovals(): void {
    const shown = this.bundle.approvals;
    if (shown.length !== this.given.size) {
      this.verdict.faults.push(
        `approvals: the file shows ${shown.length}, its events hold ${this.given.size}`,
      );
    }
    for (const [at, approval] of shown.entries()) {
      const given = this.given.get(String(approval?.approvalId));
      const same =
        given !== undefined &&
        approval.position === `${given.event.shard}:${given.event.seq}` &&
        approval.keyRegisteredAt === given.registeredAt &&
        sameJson(approval.record, given.event.payload['record']) &&
        sameJson(approval.signature, given.event.payload['signature']) &&
        sameJson(approval.key as unknown as JsonValue, given.key as unknown as JsonValue) &&
        approval.record['type'] === APPROVAL_TYPE;
      if (!same) this.verdict.faults.push(`approvals: entry ${at} is not what the events say`);
    }
  }

  private isAboutPool({ provisional }: PoolState): boolean {
    return provisional === this.bundle.upgradeId;
  }

  private fault({ shard, seq }: AuditEvent, code: string, message: string): void {
    this.verdict.faults.push(`${code}: ${shard}:${seq}: ${message}`);
  }
}

/** Every event is in the tree of one checkpoint, which a key of the trust root has signed. */
function proveInclusion(
  { origin, events, pool, proofs }: UpgradeEvidence,
  signers: readonly TrustedSigner[],
  verdict: UpgradeEvidenceVerdict,
): void {
  if (proofs.length === 0) return;
  const lines = [...events, ...pool];
  const before = verdict.faults.length;
  let first: LogProof | null = null;
  for (const [at, text] of proofs.entries()) {
    const line = lines[at] ?? '';
    try {
      const proof = parseLogProof(text);
      const { shard, seq } = parseEvent(line);
      const { checkpoint } = proof;
      first ??= proof;
      const fault = (message: string) => verdict.faults.push(`inclusion: ${shard}:${seq}: ${message}`);
      if (checkpoint.text !== first.checkpoint.text)
        fault('its proof is of another checkpoint than the first one');
      if (checkpoint.origin !== origin || checkpoint.shard !== shard) {
        fault(`its proof is of the log ${logName(checkpoint.origin, checkpoint.shard)}`);
      }
      if (proof.index !== seq - 1) fault(`its proof is for the index ${proof.index}`);
      else if (!includes(proof, new TextEncoder().encode(line))) {
        fault('its proof does not lead to the root of the checkpoint');
      }
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      verdict.faults.push(`inclusion: proof ${at}: ${error.code}: ${error.message}`);
    }
  }
  if (first === null) return;
  const { checkpoint } = first;
  const refusal = whyCheckpointNotSigned(checkpoint, signers);
  if (refusal !== null) verdict.faults.push(`inclusion: ${refusal}`);
  if (verdict.faults.length > before) return;
  verdict.log = {
    name: logName(checkpoint.origin, checkpoint.shard),
    size: checkpoint.size,
    root: base64Encode(checkpoint.root),
  };
}

/** Text for messages, and for members that must be texts: any other value becomes its JSON. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b;
  const names = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(b).length &&
    names.every(
      (name) => Object.hasOwn(b, name) && sameJson((a as JsonObject)[name], (b as JsonObject)[name]),
    )
  );
}
