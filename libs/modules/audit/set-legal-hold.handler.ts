import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  answerBytes,
  appendAndAnswer,
  type Asking,
  type CommandAnswer,
  EventStore,
  findStoredAnswer,
} from '#platform/event-store';
import { AuditError } from './domain/audit.error';
import {
  decideLegalHold,
  type EventRange,
  evolveLegalHold,
  legalHoldStream,
  NEVER_HELD,
} from './domain/legal-hold.decider';

/** Hold an event or a range in the archive beyond its retention, or lift such a hold. */
export class SetLegalHold extends Command<CommandAnswer> {
  constructor(
    readonly target: { readonly eventId: string } | EventRange,
    readonly hold: boolean,
    readonly reason: string,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(SetLegalHold)
export class SetLegalHoldHandler implements ICommandHandler<SetLegalHold, CommandAnswer> {
  constructor(private readonly store: EventStore) {}

  async execute(command: SetLegalHold): Promise<CommandAnswer> {
    const { actor, correlationId, idempotency } = command.asking;
    // Before deciding: a command already done under this key would be refused the second time.
    const answered = await findStoredAnswer(this.store, idempotency);
    if (answered !== null) return answered;
    const range = await this.rangeOf(command.target);
    const head = (await this.store.heads()).find(({ shard }) => shard === range.shard);
    if (head === undefined) throw new AuditError('unknown_shard', `There is no shard ${range.shard}.`);
    const stream = legalHoldStream(range);
    const past = await this.store.loadStream(stream);
    const state = past.reduce((before, { event }) => evolveLegalHold(before, event), NEVER_HELD);
    const { hold, reason } = command;
    const event = decideLegalHold(state, { ...range, hold, reason }, head.seq);
    return appendAndAnswer(
      this.store,
      { actor, correlationId, writes: [{ stream, expectedVersion: past.length, events: [event] }] },
      idempotency,
      (committed, position) =>
        answerBytes(201, {
          legalHold: { eventId: committed[0]?.event.id, ...range, inForce: hold, reason },
          position,
        }),
    );
  }

  private async rangeOf(target: SetLegalHold['target']): Promise<EventRange> {
    if (!('eventId' in target)) return target;
    const stored = await this.store.getById(target.eventId);
    if (stored === null) throw new AuditError('event_not_found', `There is no event ${target.eventId}.`);
    const { shard, seq } = stored.event;
    return { shard, fromSeq: seq, toSeq: seq };
  }
}
