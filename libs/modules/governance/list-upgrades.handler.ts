import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { AuditIndex } from '#platform/audit-stream';
import { mapFew, type StoredEvent } from '#platform/event-store';
import { type JsonObject } from '#evidence';
import { type Governance } from './domain/plan-effect';
import { GovernanceReader } from './governance.reader';
import { upgradeSummary } from './upgrade.view';
import { type UpgradeType } from './domain/upgrade.manifest';
import { type RecordedStatus } from './domain/upgrade.state';

export interface UpgradePage {
  upgrades: ReturnType<typeof upgradeSummary>[];
  /** Null on the last page. A page that few upgrades matched may be short and have a next one. */
  nextCursor: string | null;
}

export interface UpgradeFilter {
  /** Current status, not the last recorded one. */
  status: RecordedStatus | null;
  type: UpgradeType | null;
}

/** One page of upgrades, newest first, each with its current status. */
export class ListUpgrades extends Query<UpgradePage> {
  constructor(
    readonly filter: UpgradeFilter,
    readonly page: { cursor?: string; limit: number },
  ) {
    super();
  }
}

/** Largest number of upgrades examined for one page: some 100 ms, however few of them match. */
const EXAMINED = 200;

/**
 * The index says which upgrades exist; the chain, the pool and the clock at the moment of asking give the status of
 * each: an expired one is listed as expired even before that is recorded.
 */
@QueryHandler(ListUpgrades)
export class ListUpgradesHandler implements IQueryHandler<ListUpgrades, UpgradePage> {
  constructor(
    private readonly index: AuditIndex,
    private readonly reader: GovernanceReader,
  ) {}

  async execute({ filter, page }: ListUpgrades): Promise<UpgradePage> {
    // Read only when there is an upgrade: a kernel without a pool has none, and can say so.
    let judged: Promise<{ governance: Governance; now: number }> | undefined;
    const select = async (events: readonly StoredEvent[]) => {
      if (events.length === 0) return [];
      judged ??= Promise.all([this.reader.governance(), this.reader.now()]).then(([{ governance }, now]) => ({
        governance,
        now,
      }));
      const by = await judged;
      return mapFew(events, (proposal) => this.summary(proposal, filter, by));
    };
    const { found, nextCursor } = await this.index.search(
      { type: 'upgrade.proposed', order: 'newest', ...page },
      { select, asks: `status=${filter.status ?? ''}&type=${filter.type ?? ''}`, examine: EXAMINED },
    );
    return { upgrades: found, nextCursor };
  }

  private async summary(
    { event }: StoredEvent,
    { status, type }: UpgradeFilter,
    { governance, now }: { governance: Governance; now: number },
  ) {
    // The proposal fixes it permanently.
    if (type !== null && (event.payload['manifest'] as JsonObject)['type'] !== type) return null;
    const { state } = await this.reader.existing(event.stream.slice('upgrade/'.length));
    const summary = upgradeSummary(state, governance, now);
    return status === null || summary.status === status ? summary : null;
  }
}
