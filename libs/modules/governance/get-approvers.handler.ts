import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Approvers } from '#openapi/kernel';
import { type ApproverPool, keyMaterial } from '#evidence';
import { EventStore } from '#platform/event-store';
import { statusOf } from './domain/upgrade.quorum';
import { GovernanceOptions } from './governance.ports';
import { GovernanceReader } from './governance.reader';
import { upgradeSummary } from './upgrade.view';

/** The pool in force, and its pending changes. */
export class GetApprovers extends Query<Approvers> {}

/** Period in which pending changes are searched: earlier proposals have long expired. */
const RECENT_PROPOSALS = 200;

@QueryHandler(GetApprovers)
export class GetApproversHandler implements IQueryHandler<GetApprovers, Approvers> {
  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly options: GovernanceOptions,
  ) {}

  async execute(): Promise<Approvers> {
    const { governance } = await this.reader.governance();
    const { inForce, settled, provisional, revoked } = governance.pool;
    const peopleOf = ({ approvers }: ApproverPool) =>
      approvers.map((approver) => ({
        ...approver,
        revokedKeys: approver.keys.filter((key) => revoked.has(keyMaterial(key))).map(({ keyId }) => keyId),
      }));
    const { events } = await this.store.query({
      type: 'upgrade.proposed',
      order: 'newest',
      limit: RECENT_PROPOSALS,
    });
    const now = await this.reader.now();
    const pending: Approvers['pending'] = [];
    for (const { event } of events) {
      const manifest = event.payload['manifest'] as { type?: unknown } | undefined;
      if (manifest?.type !== 'approver_pool') continue;
      const { state } = await this.reader.existing(event.stream.slice('upgrade/'.length));
      if (['proposed', 'approved', 'emergency_applied'].includes(statusOf(state, governance, now))) {
        pending.push(upgradeSummary(state, governance, now));
      }
    }
    return {
      version: inForce.version,
      threshold: inForce.pool.threshold,
      approvers: peopleOf(inForce.pool),
      policy: governance.policy.settled,
      syncedPasskeys: this.options.syncedPasskeys,
      provisional,
      settled:
        provisional === null
          ? null
          : {
              version: settled.version,
              threshold: settled.pool.threshold,
              approvers: peopleOf(settled.pool),
            },
      pending,
    };
  }
}
