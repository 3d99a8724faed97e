import { Body, Controller, Get, Inject, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  actorOf,
  BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
} from '#platform/edge';
import { answerBytes, answerOnce, EventStore } from '#platform/event-store';
import { ChangeMode } from '../change-mode.handler';
import { type KernelMode, type ModeState } from '../domain/kernel-mode';
import { ModeWatch } from '../mode-watch';

@Controller('kernel/admin/mode')
export class ModeController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    private readonly store: EventStore,
    private readonly watch: ModeWatch,
  ) {}

  @Get()
  @Policy('mode.manage')
  async mode(): Promise<ModeState> {
    await this.watch.look();
    return this.watch.current;
  }

  @Post()
  @Policy('mode.manage')
  async change(
    @Body() { mode, reason }: { mode: KernelMode; reason: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const answer = await answerOnce(this.store, context.idempotencyClaim(), async () => {
      const changed = await this.commands.execute(new ChangeMode(mode, reason, actorOf(caller)));
      if (changed.auditId !== null && changed.position !== null) context.noteEvents([changed.auditId]);
      return answerBytes(200, changed);
    });
    return new BytesAnswer(answer.status, answer.body);
  }
}
