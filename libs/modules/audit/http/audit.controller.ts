import { Body, Controller, Get, Headers, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  answered,
  Asking,
  AwaitsLog,
  BytesAnswer,
  Caller,
  EventStreamAnswer,
  NdjsonAnswer,
  type Patience,
  Policy,
  type Principal,
  Scope,
} from '#platform/edge';
import { ReadsIndex, ReadsStore } from '#platform/audit-stream';
import { type ShardHead } from '#platform/event-store';
import { type PipelineShard } from '#openapi/kernel';
import { AppendEvents, type CallerEvent } from '../append-events.handler';
import { GetEvent } from '../get-event.handler';
import { type EventFilter, ListEvents } from '../list-events.handler';
import { ExportEvents } from '../export-events.handler';
import { StreamEvents } from '../stream-events.handler';
import { GetReceipt } from '../get-receipt.handler';
import { GetHeads } from '../get-heads.handler';
import { GetPipeline } from '../get-pipeline.handler';

/** openapi/kernel.yaml: the page length when a caller names none. */
const DEFAULT_LIMIT = 100;

@Controller('kernel/audit')
export class AuditController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('audit.append')
  async append(
    @Body() body: CallerEvent | { events: CallerEvent[] },
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const several = 'events' in body;
    const answer = await this.commands.execute(
      new AppendEvents(several ? body.events : [body], asking, (index) =>
        several ? `/events/${index}` : '',
      ),
    );
    return answered(answer);
  }

  @Get()
  @Policy('audit.read')
  @ReadsIndex()
  async list(@Query() filter: Partial<EventFilter>, @Scope() scope: Scope): Promise<BytesAnswer> {
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

  @Get('stream')
  @Policy('audit.read')
  async stream(
    @Query() { after, ...filter }: Partial<EventFilter> & { after?: string },
    @Caller() principal: Principal,
    @Scope() scope: Scope,
    @Headers('last-event-id') lastEventId?: string,
  ): Promise<EventStreamAnswer> {
    const last = lastEventId ?? after ?? null;
    return new EventStreamAnswer(
      await this.queries.execute(new StreamEvents(filter, last, principal, scope)),
    );
  }

  @Get('head')
  @Policy('audit.read')
  @ReadsStore()
  async heads(): Promise<ShardHead[]> {
    return this.queries.execute(new GetHeads());
  }

  @Get('pipeline')
  @Policy('pipeline.read')
  async pipeline(): Promise<{ shards: PipelineShard[] }> {
    return { shards: await this.queries.execute(new GetPipeline()) };
  }

  @Get('export')
  @Policy('audit.export')
  @ReadsStore()
  async export(
    @Query() { shard, fromSeq, toSeq }: { shard?: number; fromSeq?: number; toSeq?: number },
    @Scope() scope: Scope,
  ): Promise<NdjsonAnswer> {
    const range = { shard: shard ?? 0, fromSeq: fromSeq ?? 1, ...(toSeq === undefined ? {} : { toSeq }) };
    return new NdjsonAnswer(await this.queries.execute(new ExportEvents(range, scope)));
  }

  @Get(':id')
  @Policy('audit.read')
  @ReadsStore()
  async event(@Param('id') id: string, @Scope() scope: Scope): Promise<BytesAnswer> {
    const { bytes } = await this.queries.execute(new GetEvent(id, scope));
    return new BytesAnswer(200, bytes);
  }

  @Get(':id/receipt')
  @Policy('audit.read')
  @ReadsStore()
  async receipt(
    @Param('id') id: string,
    @Scope() scope: Scope,
    @AwaitsLog() patience: Patience,
  ): Promise<BytesAnswer> {
    const receipt = await this.queries.execute(new GetReceipt(id, scope, patience));
    return new BytesAnswer(200, Buffer.from(receipt, 'utf8'), 'text/plain; charset=utf-8');
  }
}

const COMMA = Buffer.from(',');
