import { Body, Controller, Get, Inject, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { answered, Asking, type BytesAnswer, Policy } from '#platform/edge';
import { answerBytes, answerOnce, EventStore } from '#platform/event-store';
import { ChangeMode } from '../change-mode.handler';
import { type ModeState } from '../domain/kernel-mode';
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
    @Body() { mode, reason }: contract.ModeRequest,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    let eventIds: string[] = [];
    const answer = await answerOnce(this.store, asking.idempotency, async () => {
      const changed = await this.commands.execute(new ChangeMode(mode, reason, asking.actor));
      if (changed.auditId !== null && changed.position !== null) eventIds = [changed.auditId];
      return answerBytes(200, changed);
    });
    return answered({ ...answer, eventIds });
  }
}
