import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  answered,
  Asking,
  type BytesAnswer,
  pageOf,
  type PageParameters,
  Policy,
  Scope,
} from '#platform/edge';
import { ReadsIndex, ReadsStore } from '#platform/audit-stream';
import { type JsonObject } from '#evidence';
import { RegisterDivision } from '../register-division.handler';
import { type Division, GetDivision } from '../get-division.handler';
import { type DivisionPage, ListDivisions } from '../list-divisions.handler';

@Controller('kernel/division')
export class DivisionController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('division.write')
  async register(
    @Body() manifest: JsonObject & { id: string },
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const command = new RegisterDivision(manifest, asking.scope, asking);
    return answered(await this.commands.execute(command));
  }

  @Get()
  @Policy('division.read')
  @ReadsIndex()
  async list(@Query() page: PageParameters, @Scope() scope: Scope): Promise<DivisionPage> {
    return this.queries.execute(new ListDivisions(pageOf(page), scope));
  }

  @Get(':id')
  @Policy('division.read')
  @ReadsStore()
  async division(
    @Param('id') id: string,
    @Query() { version }: { version?: number },
    @Scope() scope: Scope,
  ): Promise<Division> {
    return this.queries.execute(new GetDivision(id, version ?? null, scope));
  }
}
