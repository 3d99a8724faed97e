import { BytesAnswer } from './answers';
import { actorOf, type Principal } from './access/principal';
import { type RequestContext } from './request-context';

/** Header that makes a read wait for a position. */
export const MIN_POSITION = 'kernel-min-position';
/** openapi/kernel.yaml: the page length when a caller names none. */
const DEFAULT_LIMIT = 50;

export interface PageParameters {
  cursor?: string;
  limit?: number;
}

export function pageOf({ cursor, limit }: PageParameters): { cursor?: string; limit: number } {
  return { limit: limit ?? DEFAULT_LIMIT, ...(cursor === undefined ? {} : { cursor }) };
}

/** Returns who asks for a decision, and how its answer is remembered, in the form of the event store. */
export function askedBy(caller: Principal, context: RequestContext) {
  return {
    actor: actorOf(caller),
    correlationId: context.correlationId,
    idempotency: context.idempotencyClaim(),
  };
}

/** Returns a command's answer as it is sent; the log line of the request names the events that it committed. */
export function answered(
  context: RequestContext,
  { status, body, eventIds = [] }: { status: number; body: Uint8Array; eventIds?: readonly string[] },
): BytesAnswer {
  context.noteEvents(eventIds);
  return new BytesAnswer(status, body);
}
