import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type Actor } from '#evidence';
import { type Principal } from '#platform/edge';
import { PeopleError } from '../domain/people.error';
import { reachOf } from './list-sessions.handler';
import { SessionRecords } from './session-records';
import { SessionTable } from './session-table';

export interface EndedSession {
  readonly id: string;
  readonly ended: true;
}

/** Ends a session: one of the caller's own, or anyone's for a SuperAdmin. In force when it is answered. */
export class EndSession extends Command<EndedSession> {
  constructor(
    readonly id: string,
    readonly caller: Principal,
    readonly actor: Actor,
  ) {
    super();
  }
}

@CommandHandler(EndSession)
export class EndSessionHandler implements ICommandHandler<EndSession, EndedSession> {
  constructor(
    private readonly sessions: SessionTable,
    private readonly records: SessionRecords,
  ) {}

  /** @throws PeopleError `session_not_found`, also for a session of someone else: ids of others are not confirmed */
  async execute({ id, caller, actor }: EndSession): Promise<EndedSession> {
    const of = reachOf(caller);
    const ended = of === 'nothing' ? null : await this.sessions.removeById(id, of);
    if (ended === null) {
      throw new PeopleError('session_not_found', 'There is no such session, or it is not one of yours.');
    }
    this.records.closed([{ id, why: 'revoked', actor }]);
    return { id, ended: true };
  }
}
