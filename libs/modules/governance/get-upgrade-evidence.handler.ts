import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import {
  type ApproverKey,
  evolvePool,
  type JsonObject,
  type JsonValue,
  keyMaterial,
  POOL_STREAM,
  type PoolState,
  readApprovalRecord,
  REGISTRY_TYPES,
  UPGRADE_EVIDENCE_TYPE,
  type UpgradeEvidence,
  type UpgradeEvidenceApproval,
} from '#evidence';
import { EventStore, eventsOfTypes, type StoredEvent } from '#platform/event-store';
import { GovernanceOptions } from './governance.ports';
import { GovernanceReader, upgradeStream } from './governance.reader';
import { PublishedProofs } from './published-proofs';

/** Everything that proves an upgrade, in one file for `tools/audit-verify.js --upgrade`. */
export class GetUpgradeEvidence extends Query<UpgradeEvidence> {
  constructor(readonly upgradeId: string) {
    super();
  }
}

@QueryHandler(GetUpgradeEvidence)
export class GetUpgradeEvidenceHandler implements IQueryHandler<GetUpgradeEvidence, UpgradeEvidence> {
  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly options: GovernanceOptions,
    private readonly log: PublishedProofs,
  ) {}

  async execute({ upgradeId }: GetUpgradeEvidence): Promise<UpgradeEvidence> {
    const { state, events } = await this.reader.existing(upgradeId);
    // After the upgrade: then every event of the pool on which one of its events rests exists.
    const pool = await this.reader.pool();
    const signers = await eventsOfTypes(this.store, REGISTRY_TYPES);
    const shard = this.store.shardOf(upgradeStream(upgradeId));
    const head = (await this.store.heads()).find((one) => one.shard === shard);
    const seqs = [...events, ...pool.events].map(({ event }) => event.seq);
    const proofs = await this.log.of(shard, seqs);
    const text = ({ bytes }: StoredEvent) => Buffer.from(bytes).toString('utf8');
    return {
      type: UPGRADE_EVIDENCE_TYPE,
      origin: this.options.origin,
      upgradeId,
      issuedAt: this.options.now().toISOString(),
      manifest: state.document,
      events: events.map(text),
      pool: pool.events.map(text),
      signers: signers.sort((a, b) => a.event.shard - b.event.shard || a.event.seq - b.event.seq).map(text),
      approvals: approvalsIn([...pool.events, ...events]),
      head: { shard, seq: head?.seq ?? 0, hash: head?.hash ?? '' },
      proofs: [...proofs],
    };
  }
}

/** Each approval with the key as the pool had it then, and the positions at which both came into the chain. */
function approvalsIn(events: StoredEvent[]): UpgradeEvidenceApproval[] {
  const approvals: UpgradeEvidenceApproval[] = [];
  const keys = new Map<string, ApproverKey>();
  let pool: PoolState | null = null;
  for (const { event } of events.sort((a, b) => a.event.seq - b.event.seq)) {
    if (event.stream === POOL_STREAM) {
      pool = evolvePool(pool, event);
      // A key id may name another key in a later pool: here it names the latest before the approval.
      for (const { id, keys: own } of [
        ...(pool?.settled.pool.approvers ?? []),
        ...(pool?.inForce.pool.approvers ?? []),
      ]) {
        for (const key of own) keys.set(`${id}\n${key.keyId}`, key);
      }
      continue;
    }
    if (!event.type.endsWith('_given')) continue;
    const record = event.payload['record'] as JsonObject;
    const { approverId, keyId } = readApprovalRecord(record);
    const key = keys.get(`${approverId}\n${keyId}`);
    const registered = key && pool?.registered.get(keyMaterial(key));
    if (key === undefined || registered === undefined) continue;
    approvals.push({
      approvalId: event.payload['approvalId'] as string,
      position: `${event.shard}:${event.seq}`,
      record,
      signature: event.payload['signature'] as JsonValue,
      key,
      keyRegisteredAt: `${registered.shard}:${registered.seq}`,
    });
  }
  return approvals;
}
