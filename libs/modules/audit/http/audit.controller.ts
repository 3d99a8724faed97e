import { Body, Controller, Get, Headers, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  answered,
  askedBy,
  BytesAnswer,
  Caller,
  Context,
  MIN_POSITION,
  NdjsonAnswer,
  Policy,
  type Principal,
  type RequestContext,
  Scope,
} from '#platform/edge';
import { PositionReached } from '#platform/audit-stream';
import { type ShardHead } from '#platform/event-store';
import { AppendEvents, type CallerEvent } from '../append-events.handler';
import { GetEvent } from '../get-event.handler';
import { type EventFilter, ListEvents } from '../list-events.handler';
import { ExportEvents } from '../export-events.handler';
import { GetHeads } from '../get-heads.handler';

/** openapi/kernel.yaml: the page length when a caller names none. */
const DEFAULT_LIMIT = 100;

@Controller('kernel/audit')
export class AuditController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Post()
  @Policy('audit.append')
  async append(
    @Body() body: CallerEvent | { events: CallerEvent[] },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const several = 'events' in body;
    const answer = await this.commands.execute(
      new AppendEvents(several ? body.events : [body], askedBy(caller, context), (index) =>
        several ? `/events/${index}` : '',
      ),
    );
    return answered(context, answer);
  }

  @Get()
  @Policy('audit.read')
  async list(
    @Query() filter: Partial<EventFilter>,
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<BytesAnswer> {
    await this.position.indexed(minPosition);
    const page = await this.queries.execute(
      new ListEvents({ ...filter, limit: filter.limit ?? DEFAULT_LIMIT }, scope),
    );
    return new BytesAnswer(
      200,
      Buffer.concat([
        Buffer.from('{"events":['),
        ...page.events.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [COMMA, bytes])),
        Buffer.from(`],"nextCursor":${JSON.stringify(page.nextCursor)}}`),
      ]),
    );
  }

  @Get('head')
  @Policy('audit.read')
  async heads(@Headers(MIN_POSITION) minPosition?: string): Promise<ShardHead[]> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetHeads());
  }

  @Get('export')
  @Policy('audit.export')
  async export(
    @Query() { shard, fromSeq, toSeq }: { shard?: number; fromSeq?: number; toSeq?: number },
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<NdjsonAnswer> {
    await this.position.committed(minPosition);
    const range = { shard: shard ?? 0, fromSeq: fromSeq ?? 1, ...(toSeq === undefined ? {} : { toSeq }) };
    return new NdjsonAnswer(await this.queries.execute(new ExportEvents(range, scope)));
  }

  @Get(':id')
  @Policy('audit.read')
  async event(
    @Param('id') id: string,
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<BytesAnswer> {
    await this.position.committed(minPosition);
    const { bytes } = await this.queries.execute(new GetEvent(id, scope));
    return new BytesAnswer(200, bytes);
  }
}

const COMMA = Buffer.from(',');
