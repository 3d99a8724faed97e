import { type JsonValue } from '#evidence';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type LegalHold } from '#openapi/kernel';
import { IntegrityAlarm } from '#platform/kernel-store';
import { EventStore, integrityError, mapFew, type RowFault } from '#platform/event-store';
import { storable } from '#platform/postgres';
import { evolveLegalHold, legalHoldStream, NEVER_HELD } from './domain/legal-hold.decider';
import { LegalHoldList } from './legal-hold-list';

/** Holds on archived events, the newest first. */
export class ListLegalHolds extends Query<LegalHold[]> {}

/** Holds are decisions of persons, a handful a year. */
const MOST = 1_000;

/**
 * Reads how far the archiver is from its own table, which only the workers' role writes; what is held, and why, has to be
 * what the chain says.
 */
@QueryHandler(ListLegalHolds)
export class ListLegalHoldsHandler implements IQueryHandler<ListLegalHolds, LegalHold[]> {
  constructor(
    private readonly holds: LegalHoldList,
    private readonly store: EventStore,
    private readonly alarm: IntegrityAlarm,
  ) {}

  async execute(): Promise<LegalHold[]> {
    const holds = await this.holds.list(MOST);
    await mapFew(holds, (hold) => this.assertInChain(hold));
    return holds;
  }

  /** The archiver may be behind the chain, so the row is one of the states that the stream had. */
  private async assertInChain({
    shard,
    fromSeq,
    toSeq,
    eventId,
    inForce,
    reason,
    since,
  }: LegalHold): Promise<void> {
    const history = await this.store.loadStream(legalHoldStream({ shard, fromSeq, toSeq }));
    const stated = history.find(({ event }) => event.id === eventId)?.event;
    const fits =
      stated !== undefined &&
      evolveLegalHold(NEVER_HELD, stated).inForce === inForce &&
      isReason(stated.payload['reason'], reason) &&
      stated.ts === since;
    if (fits) return;
    const fault: RowFault = {
      where: 'hold',
      message: `The row of kernel.legal_holds for ${shard}:${fromSeq} to ${toSeq} is not what the chain says.`,
    };
    this.alarm.raise(fault);
    throw integrityError(fault);
  }
}

/** Whether the row has the reason that the event states, as far as PostgreSQL can store it. */
function isReason(stated: JsonValue | undefined, noted: string): boolean {
  return typeof stated === 'string' && storable(stated) === noted;
}
