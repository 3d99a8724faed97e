import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type AuditEvent, evolvePool, GOVERNANCE_SHARD, isInstant, type PoolState } from '#evidence';
import { AuditIndex, PositionReached } from '#platform/audit-stream';
import { EventStore, EventStoreError, mapFew, type StoredEvent } from '#platform/event-store';
import {
  countReview,
  hasPart,
  type ReviewCounts,
  type ReviewedUpgrade,
  reviewUpgrade,
} from './domain/upgrade.review';
import { type UpgradeType } from './domain/upgrade.manifest';
import { type RecordedStatus } from './domain/upgrade.state';
import { GovernanceOptions } from './governance.ports';
import { GovernanceReader } from './governance.reader';

export interface ReviewFilter {
  /** RFC 3339: events at or after `from` and before `to`. */
  from: string;
  to: string;
  /** Principal, approver or person in whose name something was done. */
  person: string | null;
  type: UpgradeType | null;
  /** As recorded at the end of the report. */
  status: RecordedStatus | null;
  /** Position of the governance shard up to which the report goes, `0:17`; null: as far as the period and the chain. */
  through: string | null;
}

/** One page of a report. The same filter with the same `through` has the same pages, whenever it is asked for. */
export interface UpgradeReview {
  origin: string;
  period: { from: string; to: string };
  /** Last event of the governance shard that the report takes into account; `0:0` and nulls before the founding. */
  through: { position: string; hash: string | null; at: string | null };
  /** Whether the chain goes on behind the period, so that nothing more can happen in it. */
  closed: boolean;
  /** Counts of the upgrades on this page; those of all pages add up. */
  counts: ReviewCounts;
  /** In the order in which something first happened to them in the period. */
  upgrades: ReviewedUpgrade[];
  /** Null on the last page. A page that few upgrades matched may be short and have a next one. */
  nextCursor: string | null;
}

export class ReviewUpgrades extends Query<UpgradeReview> {
  constructor(
    readonly filter: ReviewFilter,
    readonly page: { cursor?: string; limit: number },
  ) {
    super();
  }
}

/** Largest number of events examined for one page. */
const EXAMINED = 400;

/** The end of a report: the last event that it takes into account. */
interface End {
  seq: number;
  event: AuditEvent | null;
  closed: boolean;
}

/**
 * Everything about upgrades and the pool is in one shard, so a report is a function of that chain up to a position: the
 * index says which upgrades something happened to, and the streams, up to that position, what.
 */
@QueryHandler(ReviewUpgrades)
export class ReviewUpgradesHandler implements IQueryHandler<ReviewUpgrades, UpgradeReview> {
  constructor(
    private readonly index: AuditIndex,
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly position: PositionReached,
    private readonly options: GovernanceOptions,
  ) {}

  /**
   * @throws EventStoreError `invalid_request`, `invalid_cursor`
   * @throws PositionError `position_unavailable` when the index is behind the chain: a report would lack what it has not yet
   */
  async execute({ filter, page }: ReviewUpgrades): Promise<UpgradeReview> {
    const period = periodOf(filter);
    const end = await this.end(period.to, filter.through);
    const { person, type, status } = filter;
    const asks = `review through=${end.seq}&person=${person ?? ''}&type=${type ?? ''}&status=${status ?? ''}`;
    const { found, nextCursor } =
      end.event === null || end.event.ts < period.from
        ? { found: [], nextCursor: null }
        : await this.index.search(
            {
              subject: 'upgrade/',
              order: 'oldest',
              from: period.from,
              // Nothing behind the end is examined, however long the period goes on.
              to: new Date(Date.parse(end.event.ts) + 1).toISOString(),
              ...page,
            },
            { select: await this.selection(filter, period, end), asks, examine: EXAMINED },
          );
    return {
      origin: this.options.origin,
      period,
      through: {
        position: `${GOVERNANCE_SHARD}:${end.seq}`,
        hash: end.event?.hash ?? null,
        at: end.event?.ts ?? null,
      },
      closed: end.closed,
      counts: countReview(found),
      upgrades: found,
      nextCursor,
    };
  }

  /** Selects each upgrade at its first event of the period. */
  private async selection(
    { person, type, status }: ReviewFilter,
    { from, to }: { from: string; to: string },
    end: End,
  ) {
    const poolAt = await this.pools();
    const asOf = end.closed ? to : (end.event?.ts ?? to);
    const streams = new Map<string, Promise<AuditEvent[]>>();
    const eventsOf = (stream: string) => {
      let events = streams.get(stream);
      if (events === undefined) {
        events = this.store
          .loadStream(stream)
          .then((all) => all.map(({ event }) => event).filter(({ seq }) => seq <= end.seq));
        streams.set(stream, events);
      }
      return events;
    };
    return (found: readonly StoredEvent[]) =>
      mapFew(found, async ({ event }): Promise<ReviewedUpgrade | null> => {
        if (event.seq > end.seq) return null;
        const events = await eventsOf(event.stream);
        if (events.find(({ ts }) => ts >= from)?.seq !== event.seq) return null;
        const reviewed = reviewUpgrade(events, poolAt, { from, asOf });
        if (type !== null && reviewed.type !== type) return null;
        if (status !== null && reviewed.status !== status) return null;
        return person === null || hasPart(reviewed, person) ? reviewed : null;
      });
  }

  /** The pools, each from where it came into the chain. */
  private async pools(): Promise<(seq: number) => PoolState | null> {
    const states: { seq: number; state: PoolState | null }[] = [];
    let state: PoolState | null = null;
    for (const { event } of (await this.reader.pool()).events) {
      state = evolvePool(state, event);
      states.push({ seq: event.seq, state });
    }
    return (seq) => states.findLast((one) => one.seq < seq)?.state ?? null;
  }

  private async end(to: string, through: string | null): Promise<End> {
    if (through !== null && !through.startsWith(`${GOVERNANCE_SHARD}:`)) {
      throw invalid('/through', `through is a position of shard ${GOVERNANCE_SHARD}, where upgrades are.`);
    }
    if (through !== null) await this.position.indexed(through);
    let last = await this.lastBefore(to);
    if (!last.closed && through === null) {
      // The period reaches as far as the chain: what is committed by now has to be in the report.
      const head = (await this.store.heads()).find(({ shard }) => shard === GOVERNANCE_SHARD);
      if (head !== undefined && head.seq > last.seq) {
        await this.position.indexed(`${GOVERNANCE_SHARD}:${head.seq}`);
        last = await this.lastBefore(to);
      }
    }
    const asked = through === null ? last.seq : Number(through.slice(through.indexOf(':') + 1));
    const seq = Math.min(asked, last.seq);
    const [event = null] = seq === 0 ? [] : await this.next({}, seq - 1);
    if (seq > 0 && event?.seq !== seq) {
      throw new EventStoreError(
        'store_unavailable',
        `The index has no event at ${GOVERNANCE_SHARD}:${seq} now.`,
      );
    }
    return { seq, event, closed: last.closed && seq === last.seq };
  }

  /** The last event of the governance shard before a time, as the index has it. */
  private async lastBefore(to: string): Promise<{ seq: number; closed: boolean }> {
    const indexed = (await this.index.positions()).find(({ shard }) => shard === GOVERNANCE_SHARD)?.seq ?? 0;
    const [first] = await this.next({ from: to }, 0);
    return first === undefined ? { seq: indexed, closed: false } : { seq: first.seq - 1, closed: true };
  }

  /** The next event of the governance shard; the others are left where they are. */
  private async next(filter: { from?: string }, afterSeq: number): Promise<AuditEvent[]> {
    const places = new Map<number, number>();
    for (let shard = 0; shard < this.index.shards; shard++) places.set(shard, Number.MAX_SAFE_INTEGER);
    places.set(GOVERNANCE_SHARD, afterSeq);
    const { events } = await this.index.after(filter, places, 1);
    return events.map(({ event }) => event);
  }
}

function periodOf({ from, to }: ReviewFilter): { from: string; to: string } {
  const period = { from: instant('from', from), to: instant('to', to) };
  if (period.from < period.to) return period;
  throw invalid(
    '/to',
    `The period ends at ${period.to}, which is not behind its beginning at ${period.from}.`,
  );
}

function instant(name: string, value: string): string {
  if (isInstant(value)) return new Date(value.toUpperCase()).toISOString();
  throw invalid(`/${name}`, `${name} is an RFC 3339 time such as 2026-01-31T10:00:00Z.`);
}

function invalid(pointer: string, message: string): EventStoreError {
  return new EventStoreError('invalid_request', message, { pointer });
}
