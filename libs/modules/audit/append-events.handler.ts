import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { divisionOf } from '#platform/edge';
import {
  answerBytes,
  appendAndAnswer,
  type Asking,
  type CommandAnswer,
  EventStore,
  EventStoreError,
  type StreamWrite,
} from '#platform/event-store';
import { type JsonObject } from '#evidence';
import { AuditError } from './domain/audit.error';
import { isReservedStream, isReservedType } from './domain/reserved-names';

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
    readonly asking: Asking,
    /** JSON Pointer of each event in the request, for errors: `/events/3`, or empty for a single one. */
    readonly pointerOf: (index: number) => string,
  ) {
    super();
  }
}

@CommandHandler(AppendEvents)
export class AppendEventsHandler implements ICommandHandler<AppendEvents, CommandAnswer> {
  constructor(private readonly store: EventStore) {}

  async execute(command: AppendEvents): Promise<CommandAnswer> {
    const { actor, correlationId, idempotency } = command.asking;
    const ownStream = `caller/${actor.id}`;
    const writes = command.events.map((event, index): StreamWrite => {
      const stream = event.stream ?? ownStream;
      refuseReserved(event, stream, command.pointerOf(index));
      return {
        stream,
        expectedVersion: 'any',
        events: [{ type: event.type, payload: event.payload, division: divisionOf(stream, event.payload) }],
      };
    });
    const append = appendAndAnswer(
      this.store,
      { actor, correlationId, writes },
      idempotency,
      (committed, position) =>
        answerBytes(201, {
          events: committed.map(({ event: { id, shard, seq, hash } }) => ({ id, shard, seq, hash })),
          position,
        }),
    );
    return append.catch((error: unknown) => {
      throw inRequest(error, command);
    });
  }
}

/** Turns the store's pointer into the event into a pointer into the caller's request. */
function inRequest(error: unknown, { events, pointerOf }: AppendEvents): unknown {
  if (!(error instanceof EventStoreError)) return error;
  const { eventIndex, pointer = '' } = error.details;
  if (typeof eventIndex !== 'number' || events[eventIndex] === undefined) return error;
  // The event as a whole is too large, wherever most of its bytes are.
  const within = error.code === 'event_too_large' ? '' : inCallersEvent(String(pointer));
  const details = { ...error.details, pointer: `${pointerOf(eventIndex)}${within}` };
  return new EventStoreError(error.code, error.message, details, { cause: error });
}

/** The division of a caller's event is what its payload names. */
function inCallersEvent(pointer: string): string {
  return pointer === '/division' ? '/payload/division' : pointer;
}

function refuseReserved(event: CallerEvent, stream: string, pointer: string): void {
  const [member, name] = isReservedType(event.type) ? ['type', event.type] : ['stream', stream];
  if (member === 'stream' && !isReservedStream(stream)) return;
  throw new AuditError(
    'reserved_name',
    `"${name}" names a fact that only the kernel itself records; choose another ${member}.`,
    { pointer: `${pointer}/${member}` },
  );
}
