import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { EventStore } from '#platform/event-store';
import { type Actor } from '#evidence';
import { ModeRecorder } from './mode-recorder';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';
import { type KernelMode, type ModeState } from './domain/kernel-mode';

export interface ChangedMode extends ModeState {
  /** Id of the event that records the change; null when the mode was already in force. */
  readonly auditId: string | null;
  /** Position in the chain; null if nothing can be signed now: it is recorded later. */
  readonly position: string | null;
}

/** Puts another mode into force, at once and in every kernel process. */
export class ChangeMode extends Command<ChangedMode> {
  constructor(
    readonly to: KernelMode,
    readonly reason: string,
    readonly actor: Actor,
  ) {
    super();
  }
}

@CommandHandler(ChangeMode)
export class ChangeModeHandler implements ICommandHandler<ChangeMode, ChangedMode> {
  constructor(
    private readonly modes: ModeStore,
    private readonly watch: ModeWatch,
    private readonly recorder: ModeRecorder,
    private readonly events: EventStore,
  ) {}

  async execute({ to, reason, actor }: ChangeMode): Promise<ChangedMode> {
    // First into force, then into the chain: the caller who changes the mode may have no time to lose, and no signer.
    const auditId = await this.modes.change(to, reason, actor);
    await this.watch.look();
    await this.recorder.record();
    const recorded = auditId === null ? null : await this.events.getById(auditId);
    const position = recorded === null ? null : `${recorded.event.shard}:${recorded.event.seq}`;
    return { ...this.watch.current, auditId, position };
  }
}
