import { Command } from '@nestjs/cqrs';
import { type CommandAnswer } from '#platform/event-store';
import { type Asking } from '../../upgrade.decisions';

/** Try a notification again that could not be delivered. */
export class RedeliverNotification extends Command<CommandAnswer> {
  constructor(
    readonly id: string,
    /** Null: to every endpoint where it is dead. */
    readonly endpoint: string | null,
    readonly asking: Asking,
  ) {
    super();
  }
}
