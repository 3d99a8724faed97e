import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { EventStore } from '#platform/event-store';
import { ModeRecorder } from '../../mode-recorder';
import { ModeStore } from '../../mode-store';
import { ModeWatch } from '../../mode-watch';
import { ChangeMode, type ChangedMode } from './change-mode.command';

@CommandHandler(ChangeMode)
export class ChangeModeHandler implements ICommandHandler<ChangeMode, ChangedMode> {
  constructor(
    private readonly modes: ModeStore,
    private readonly watch: ModeWatch,
    private readonly recorder: ModeRecorder,
    private readonly events: EventStore,
  ) {}

  async execute({ to, reason, actor }: ChangeMode): Promise<ChangedMode> {
    // First into force, then into the chain: whoever changes the mode may have no time to lose, and no signer.
    const auditId = await this.modes.change(to, reason, actor);
    await this.watch.look();
    await this.recorder.record();
    const recorded = auditId === null ? null : await this.events.getById(auditId);
    const position = recorded === null ? null : `${recorded.event.shard}:${recorded.event.seq}`;
    return { ...this.watch.current, auditId, position };
  }
}
