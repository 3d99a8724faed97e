import { type AuditEvent } from '../../chain/audit-event';
import { isTimestamp } from '../../json/time';
import { EvidenceError } from '../../evidence.error';
import { type JsonObject, type JsonValue } from '../../json/json-value';
import { type TrustedSigner } from '../../keys/signers';
import { DEPLOYMENT_AUTHORIZATION } from '../../manifests/kernel-kinds';
import { parseEnvelope } from '../../manifests/dsse';
import { manifestDigest, parseManifestStatement } from '../../manifests/manifest-statement';
import { verifyManifestEnvelope } from '../../manifests/verify-envelope';
import { type ApprovalAction, type ApprovalRecord, readApprovalRecord } from '../approval-record';
import { evolvePool, POOL_STREAM, type PoolState } from '../approver-pool';
import { countQuorum, decidingPools, findSigner, type Quorum, requiredQuorum } from '../quorum';
import { readApprovalSignature, verifyApproval } from '../verify-approval';
import { type EvidenceFaults, sameJson, textOf } from './evidence-faults';
import { type UpgradeEvidence, type UpgradeEvidenceApproval } from './upgrade-evidence';

/** What the events of an upgrade amount to, as far as they could be checked. */
export interface UpgradeOutcome {
  /** Status by the last event that gives one; null when there is none. */
  status: UpgradeStatus | null;
  /** Whether it came into effect in an emergency, without anyone's agreement. */
  emergency: boolean;
  /** The approvers whose signatures decided; for a rejection those who rejected. */
  approvers: string[];
  /** How many approvals were needed; null when no quorum decided. */
  required: number | null;
  /** Whether a manifest key has authorised the deployment of this manifest. */
  authorized: boolean;
}

export type UpgradeStatus = (typeof STATUS_TYPES)[keyof typeof STATUS_TYPES];

/** Queueing and signing lie between the moment a decision is based on and the time of its event. */
const DECISION_DELAY_MS = 5 * 60_000;

const STATUS_TYPES = {
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
} as const;
const GIVEN_TYPES: Record<string, ApprovalAction> = {
  'upgrade.approval_given': 'approve',
  'upgrade.rejection_given': 'reject',
  'upgrade.ratification_given': 'ratify',
};
/** What may come after a status; nothing after one that is not named. */
const OPEN: readonly UpgradeStatus[] = [
  'approved',
  'rejected',
  'expired',
  'withdrawn',
  'applied',
  'emergency_applied',
];
const IN_EFFECT: readonly UpgradeStatus[] = ['completed', 'failed', 'rolled_back', 'rollback_required'];
const FOLLOWING: Partial<Record<UpgradeStatus, readonly UpgradeStatus[]>> = {
  proposed: OPEN,
  approved: OPEN,
  applied: IN_EFFECT,
  emergency_applied: ['ratified', 'rolled_back', 'rollback_required'],
  ratified: IN_EFFECT,
  completed: IN_EFFECT,
  failed: IN_EFFECT,
  rollback_required: IN_EFFECT,
};

interface Proposal {
  manifestSha256: string;
  patchSha256: string | null;
  threshold: number;
  involved: Set<string>;
  /** Milliseconds since 1970: from then on an emergency application is not ratified any more. */
  ratifyBy: number | null;
  records: ApprovalRecord[];
}

/** Goes through both streams in the order of the chain and makes every decision again. */
export class DecisionReplay {
  readonly outcome: UpgradeOutcome = {
    status: null,
    emergency: false,
    approvers: [],
    required: null,
    authorized: false,
  };
  private pool: PoolState | null = null;
  private proposal: Proposal | null = null;
  private readonly given: UpgradeEvidenceApproval[] = [];

  /**
   * @param signers by which authorisations are judged
   * @param registryEventsBefore number of registry events that the file has before a position
   */
  constructor(
    private readonly bundle: UpgradeEvidence,
    private readonly signers: readonly TrustedSigner[],
    private readonly registryEventsBefore: (seq: number) => number,
    private readonly faults: EvidenceFaults,
  ) {}

  run(pool: readonly AuditEvent[], upgrade: readonly AuditEvent[]): UpgradeOutcome {
    for (const event of [...pool, ...upgrade].sort((a, b) => a.shard - b.shard || a.seq - b.seq)) {
      try {
        if (event.stream === POOL_STREAM) this.pool = evolvePool(this.pool, event);
        else this.step(event);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        this.faults.at(event, error.code, error.message);
      }
    }
    this.compareApprovals();
    return this.outcome;
  }

  private step(event: AuditEvent): void {
    this.enter(event);
    if (event.type === 'upgrade.proposed') {
      this.proposed(event);
      return;
    }
    const { proposal, pool } = this;
    if (proposal === null || pool === null) {
      this.faults.at(event, 'order', 'it comes before proposal and pool');
      return;
    }
    const action = GIVEN_TYPES[event.type];
    if (action !== undefined) this.signed(event, action, proposal, pool);
    switch (event.type) {
      case 'upgrade.approved':
        this.decided(event, 'approve', proposal, pool);
        break;
      case 'upgrade.applied':
        this.decided(event, 'approve', proposal, pool);
        this.authorized(event);
        break;
      case 'upgrade.rejected':
        this.decided(event, 'reject', proposal, pool);
        break;
      case 'upgrade.emergency_applied':
        this.resting(event, pool);
        this.authorized(event);
        Object.assign(this.outcome, { emergency: true, approvers: [], required: null });
        proposal.records = [];
        proposal.involved.add(event.actor.id);
        proposal.ratifyBy = timeOf(event.payload['ratifyBy']);
        break;
      case 'upgrade.ratified':
        this.decided(event, 'ratify', proposal, pool);
        break;
      default:
    }
  }

  /** The status that the event gives, which must be one that can come now. */
  private enter(event: AuditEvent): void {
    if (!Object.hasOwn(STATUS_TYPES, event.type)) return;
    const next = STATUS_TYPES[event.type as keyof typeof STATUS_TYPES];
    const { status } = this.outcome;
    const follows = status === null ? next === 'proposed' : (FOLLOWING[status]?.includes(next) ?? false);
    if (!follows) this.faults.at(event, 'order', `what is ${status ?? 'not proposed'} cannot be ${next}`);
    this.outcome.status = next;
  }

  private proposed(event: AuditEvent): void {
    const { payload, actor } = event;
    const digest = manifestDigest(this.bundle.manifest);
    const recorded = manifestDigest(payload['manifest'] ?? null);
    if (digest !== payload['manifestSha256'] || recorded !== digest) {
      this.faults.at(
        event,
        'digest',
        `the manifest's SHA-256 is ${digest}, the proposal says ${textOf(payload['manifestSha256'])}`,
      );
    }
    const inForce = payload['pool'] as JsonObject | null | undefined;
    const proposal: Proposal = {
      manifestSha256: digest,
      patchSha256: (payload['patchSha256'] as string | null | undefined) ?? null,
      threshold: Number(inForce?.['threshold']),
      involved: new Set([actor.id]),
      ratifyBy: null,
      records: [],
    };
    this.proposal = proposal;
    const { pool } = this;
    if (pool === null) return this.faults.at(event, 'order', 'it comes before the pool');
    if (inForce?.['version'] !== pool.inForce.version) {
      this.faults.at(
        event,
        'pool',
        `it names another pool than version ${pool.inForce.version}, which was in force`,
      );
    }
    const demanded = Math.max(...decidingPools(pool).map((one) => one.pool.threshold));
    if (proposal.threshold !== demanded) {
      this.faults.at(event, 'pool', `it names another threshold than ${demanded}, which was demanded`);
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
      if (said !== value) {
        this.faults.at(event, 'record', `its record says ${name} ${String(said)}, not ${String(value)}`);
      }
    }
    const signer = findSigner(pool, record.approverId, record.keyId, aboutPool);
    if ('refusal' in signer) {
      this.faults.at(
        event,
        'key',
        `${record.approverId} could not sign with ${record.keyId} (${signer.refusal})`,
      );
      return;
    }
    const wrong = verifyApproval(record, signature, signer.key);
    for (const reason of wrong) this.faults.at(event, 'signature', `${record.approverId}: ${reason}`);
    if (wrong.length > 0) return;
    proposal.records.push(record);
    const registered = pool.registered.get(signer.material);
    this.given.push({
      approvalId: textOf(payload['approvalId']),
      position: `${event.shard}:${event.seq}`,
      record: payload['record'] as JsonObject,
      signature: payload['signature'] ?? null,
      key: signer.key,
      keyRegisteredAt: registered === undefined ? '' : `${registered.shard}:${registered.seq}`,
    });
  }

  private decided(event: AuditEvent, action: ApprovalAction, proposal: Proposal, pool: PoolState): void {
    const { payload, ts } = event;
    const decidedAt = payload['decidedAt'];
    const now = timeOf(decidedAt) ?? NaN;
    const delay = Date.parse(ts) - now;
    this.resting(event, pool);
    if (!(delay >= 0 && delay <= DECISION_DELAY_MS)) {
      this.faults.at(event, 'time', `it was decided at ${textOf(decidedAt)} and recorded at ${ts}`);
      return;
    }
    if (action === 'ratify' && !(proposal.ratifyBy !== null && now < proposal.ratifyBy)) {
      this.faults.at(event, 'time', `it was ratified at ${textOf(decidedAt)}, when its time was over`);
    }
    const quorum = countQuorum({
      action,
      records: proposal.records,
      pool,
      threshold: proposal.threshold,
      involved: { principals: proposal.involved },
      now,
      aboutPool: this.isAboutPool(pool),
    });
    if (!isDecided(action, quorum)) {
      this.faults.at(
        event,
        'quorum',
        `${quorum.approvers.length} of ${quorum.required} signatures to ${action} counted (${quorum.approvers.join(', ')})`,
      );
    }
    if (!sameJson(payload['approvers'], quorum.approvers)) {
      this.faults.at(
        event,
        'quorum',
        `it names other approvers than those that counted: ${quorum.approvers.join(', ')}`,
      );
    }
    this.outcome.approvers = quorum.approvers;
    this.outcome.required = action === 'reject' ? null : quorum.required;
  }

  /** Compares what a decision says that it rests on with what the file has before it. */
  private resting(event: AuditEvent, pool: PoolState): void {
    const { poolEvents, signerEvents } = event.payload;
    if (poolEvents !== pool.events) {
      this.faults.at(
        event,
        'pool',
        `it rests on ${textOf(poolEvents)} events of the pool, and the file has ${pool.events} before it`,
      );
    }
    const signers = this.registryEventsBefore(event.seq);
    if (signerEvents !== signers) {
      this.faults.at(
        event,
        'signers',
        `signer events are left out: it rests on ${textOf(signerEvents)} events of the key registry, and the file has ${signers} before it`,
      );
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
    for (const reason of reasons) this.faults.at(event, 'authorization', reason);
    if (!valid) return;
    const { kind, manifestId } = parseManifestStatement(parseEnvelope(envelope).payload);
    if (kind !== DEPLOYMENT_AUTHORIZATION) {
      this.faults.at(
        event,
        'authorization',
        `it is a statement of the kind ${textOf(kind)}, not ${DEPLOYMENT_AUTHORIZATION}`,
      );
    } else if (manifestId !== this.bundle.upgradeId) {
      this.faults.at(event, 'authorization', `it is for ${manifestId}, not for this upgrade`);
    } else this.outcome.authorized = true;
  }

  /** Checks that the file shows readers exactly what its events say. */
  private compareApprovals(): void {
    const shown = this.bundle.approvals as unknown as JsonValue[];
    if (shown.length !== this.given.length) {
      this.faults.add(
        'approvals',
        `the file shows ${shown.length}, its events hold ${this.given.length} that are signed`,
      );
    }
    for (const [at, approval] of shown.entries()) {
      if (!sameJson(approval, this.given[at] as unknown as JsonValue | undefined)) {
        this.faults.add('approvals', `entry ${at} is not what the events say`);
      }
    }
  }

  private isAboutPool({ provisional }: PoolState): boolean {
    return provisional === this.bundle.upgradeId;
  }
}

/** POSIX milliseconds; null for what is no time as the kernel writes it. */
function timeOf(value: unknown): number | null {
  return isTimestamp(value) ? Date.parse(value) : null;
}

/** Whether the signatures decide: enough of them, or so many against that there cannot be enough any more. */
function isDecided(action: ApprovalAction, { reached, approvers, eligible, required }: Quorum): boolean {
  return action === 'reject' ? approvers.length > eligible - required : reached;
}
