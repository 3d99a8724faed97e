import { Command } from '@nestjs/cqrs';
import { type Actor } from '#evidence';
import { type CommandAnswer, type IdempotencyClaim } from '#platform/event-store';
import { type EventRange } from '../../domain/legal-hold.decider';

/** Hold an event or a range in the archive beyond its retention, or lift such a hold. */
export class SetLegalHold extends Command<CommandAnswer> {
  constructor(
    readonly target: { readonly eventId: string } | EventRange,
    readonly hold: boolean,
    readonly reason: string,
    readonly actor: Actor,
    readonly correlationId: string | null,
    readonly idempotency: IdempotencyClaim | null,
  ) {
    super();
  }
}
