import { Command } from '@nestjs/cqrs';
import { type Actor } from '#evidence';
import { type KernelMode, type ModeState } from '../../domain/kernel-mode';

export interface ChangedMode extends ModeState {
  /** Of the event that records the change; null when the mode was in force already. */
  readonly auditId: string | null;
  /** Where it is in the chain; null while it is not: nothing can be signed now, and it is recorded later. */
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
