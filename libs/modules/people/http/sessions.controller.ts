import { Controller, Delete, Get, Inject, Param, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { actorOf, Caller, pageOf, type PageParameters, Policy, type Principal } from '#platform/edge';
import { type EndedSession, EndSession } from '../sessions/end-session.handler';
import { ListSessions, type SessionPage } from '../sessions/list-sessions.handler';

@Controller('kernel/sessions')
export class SessionsController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  @Get()
  @Policy('session.manage')
  list(@Query() query: PageParameters, @Caller() caller: Principal): Promise<SessionPage> {
    return this.queries.execute(new ListSessions(caller, pageOf(query)));
  }

  @Delete(':id')
  @Policy('session.manage')
  end(@Param('id') id: string, @Caller() caller: Principal): Promise<EndedSession> {
    return this.commands.execute(new EndSession(id, caller, actorOf(caller)));
  }
}
