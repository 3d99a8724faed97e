import { Command } from '@nestjs/cqrs';
import { type Actor, type JsonObject } from '#evidence';
import { type CommandAnswer, type IdempotencyClaim } from '#platform/event-store';

export interface CallerEvent {
  type: string;
  payload: JsonObject;
  /** Default: the caller's own stream, `caller/<actor id>`. */
  stream?: string;
}

/** Record a caller's events, all or none, in the order given. */
export class AppendEvents extends Command<CommandAnswer> {
  constructor(
    readonly events: readonly CallerEvent[],
    readonly actor: Actor,
    readonly correlationId: string | null,
    readonly idempotency: IdempotencyClaim | null,
    /** JSON Pointer of each event in the request, for errors; `/events/3`, or empty for a single one. */
    readonly pointerOf: (index: number) => string,
  ) {
    super();
  }
}
