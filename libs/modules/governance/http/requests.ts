import { actorOf, BytesAnswer, type Principal, type RequestContext } from '#platform/edge';
import { type CommandAnswer } from '#platform/event-store';
import { type Asking } from '../upgrade.decisions';

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

export function askedBy(caller: Principal, context: RequestContext): Asking {
  return {
    actor: actorOf(caller),
    correlationId: context.correlationId,
    idempotency: context.idempotencyClaim(),
  };
}

export function answered(context: RequestContext, answer: CommandAnswer): BytesAnswer {
  context.noteEvents(answer.eventIds);
  return new BytesAnswer(answer.status, answer.body);
}
