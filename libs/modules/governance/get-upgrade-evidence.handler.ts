import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import {
  type ApproverKey,
  evolvePool,
  GOVERNANCE_SHARD,
  type JsonObject,
  type JsonValue,
  keyMaterial,
  parseLogProof,
  POOL_STREAM,
  type PoolState,
  readApprovalRecord,
  UPGRADE_EVIDENCE_TYPE,
  type UpgradeEvidence,
  type UpgradeEvidenceApproval,
} from '#evidence';
import { type StoredEvent } from '#platform/event-store';
import { GovernanceOptions } from './governance.ports';
import { GovernanceReader, type LoadedUpgrade } from './governance.reader';
import { PublishedProofs } from './published-proofs';

/** Everything that proves an upgrade, in one file for `tools/audit-verify.js --upgrade`. */
export class GetUpgradeEvidence extends Query<UpgradeEvidence> {
  constructor(readonly upgradeId: string) {
    super();
  }
}

/** How often the events are read anew when some came in between them and the checkpoint of their proofs. */
const MAX_READS = 5;

/** What an upgrade rests on, each list in the order of the chain. */
interface Basis {
  upgrade: LoadedUpgrade;
  pool: StoredEvent[];
  registry: StoredEvent[];
}

@QueryHandler(GetUpgradeEvidence)
export class GetUpgradeEvidenceHandler implements IQueryHandler<GetUpgradeEvidence, UpgradeEvidence> {
  constructor(
    private readonly reader: GovernanceReader,
    private readonly options: GovernanceOptions,
    private readonly log: PublishedProofs,
  ) {}

  async execute({ upgradeId }: GetUpgradeEvidence): Promise<UpgradeEvidence> {
    let basis = await this.read(upgradeId);
    for (let reads = 1; reads <= MAX_READS; reads++) {
      const seqs = inOrderOfProofs(basis).map(({ event }) => event.seq);
      const proofs = await this.log.of(GOVERNANCE_SHARD, seqs);
      const again = await this.read(upgradeId);
      // The file has every event of its streams up to the checkpoint: one that is missing would look left out.
      const size = proofs[0] === undefined ? 0 : parseLogProof(proofs[0]).checkpoint.size;
      if (inOrderOfProofs(again).filter(({ event }) => event.seq <= size).length <= seqs.length) {
        return this.evidence(upgradeId, basis, proofs);
      }
      basis = again;
    }
    // Those at hand are of fewer events than the file has: it would be refused, and without them it is not anchored.
    return this.evidence(upgradeId, basis, []);
  }

  private async read(upgradeId: string): Promise<Basis> {
    const upgrade = await this.reader.existing(upgradeId);
    // After the upgrade: then every event of the pool and the registry on which one of its events rests exists.
    const [pool, registry] = await Promise.all([this.reader.pool(), this.reader.registryEvents()]);
    return { upgrade, pool: pool.events, registry };
  }

  private evidence(
    upgradeId: string,
    { upgrade, pool, registry }: Basis,
    proofs: readonly string[],
  ): UpgradeEvidence {
    const text = ({ bytes }: StoredEvent) => Buffer.from(bytes).toString('utf8');
    const [founded, ...signers] = registry.map(text);
    return {
      type: UPGRADE_EVIDENCE_TYPE,
      origin: this.options.origin,
      upgradeId,
      issuedAt: this.options.now().toISOString(),
      manifest: upgrade.state.document,
      founded: founded ?? '',
      events: upgrade.events.map(text),
      pool: pool.map(text),
      signers,
      approvals: approvalsIn([...pool, ...upgrade.events]),
      proofs: [...proofs],
    };
  }
}

/** All events of a file, in the order in which it proves them. */
function inOrderOfProofs({ upgrade, pool, registry }: Basis): StoredEvent[] {
  const [founded, ...signers] = registry;
  return [...(founded === undefined ? [] : [founded]), ...upgrade.events, ...pool, ...signers];
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
