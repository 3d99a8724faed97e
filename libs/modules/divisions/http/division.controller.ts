import { Body, Controller, Get, Headers, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
  Scope,
  answered,
  askedBy,
  MIN_POSITION,
  pageOf,
  type PageParameters,
} from '#platform/edge';
import { PositionReached } from '#platform/audit-stream';
import { type JsonObject } from '#evidence';
import { RegisterDivision } from '../register-division.handler';
import { type Division, GetDivision } from '../get-division.handler';
import { type DivisionPage, ListDivisions } from '../list-divisions.handler';

@Controller('kernel/division')
export class DivisionController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Post()
  @Policy('division.write')
  async register(
    @Body() manifest: JsonObject & { id: string },
    @Caller() caller: Principal,
    @Scope() scope: Scope,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const command = new RegisterDivision(manifest, scope, askedBy(caller, context));
    return answered(context, await this.commands.execute(command));
  }

  @Get()
  @Policy('division.read')
  async list(
    @Query() page: PageParameters,
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<DivisionPage> {
    await this.position.indexed(minPosition);
    return this.queries.execute(new ListDivisions(pageOf(page), scope));
  }

  @Get(':id')
  @Policy('division.read')
  async division(
    @Param('id') id: string,
    @Query() { version }: { version?: number },
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<Division> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetDivision(id, version ?? null, scope));
  }
}
