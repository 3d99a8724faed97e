import { type ServerResponse } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Actor } from '#evidence';
import { BytesAnswer } from './answers';
import { type Scope } from './access/matrix';
import { waitMsOf } from './await-durability';
import { actorOf, type Principal } from './access/principal';
import { requiredAccess } from './access/request-access';
import { contextOf, type IdempotencyClaim } from './request-context';

/** openapi/kernel.yaml: the page length when a caller names none. */
const DEFAULT_LIMIT = 50;

export interface PageParameters {
  cursor?: string;
  limit?: number;
}

export function pageOf({ cursor, limit }: PageParameters): { cursor?: string; limit: number } {
  return { limit: limit ?? DEFAULT_LIMIT, ...(cursor === undefined ? {} : { cursor }) };
}

/** Who asks for a decision, what they may touch, and how its answer is remembered, as the event store takes it. */
export interface Asking {
  readonly caller: Principal;
  readonly scope: Scope;
  readonly actor: Actor;
  readonly correlationId: string | null;
  readonly idempotency: IdempotencyClaim | null;
}

/** Parameter decorator for commands: `@Asking() asking: Asking`. */
export const Asking = createParamDecorator((_: unknown, execution: ExecutionContext): Asking => {
  const { principal: caller, scope } = requiredAccess(execution);
  const context = contextOf(execution.switchToHttp().getRequest<object>());
  if (context === undefined)
    throw new TypeError('@Asking() is used in an app that createServiceApp did not make.');
  const { correlationId } = context;
  return { caller, scope, actor: actorOf(caller), correlationId, idempotency: context.idempotencyClaim() };
});

/** How long a read may wait for what is not there yet, by Kernel-Await and Prefer. */
export interface Patience {
  /** At most `maxMs`; 0 when the caller does not wait. */
  waitMs(maxMs: number): number;
  /** Aborted when the caller is gone. */
  readonly gone: AbortSignal;
}

/** Parameter decorator for reads that wait for a durability: `@AwaitsLog() patience: Patience`. */
export const AwaitsLog = createParamDecorator((_: unknown, execution: ExecutionContext): Patience => {
  const response = execution.switchToHttp().getResponse<ServerResponse>();
  const { headers } = response.req;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return {
    waitMs: (maxMs) => (headers['kernel-await'] === 'logged' ? waitMsOf(headers, maxMs) : 0),
    gone: gone.signal,
  };
});

/** A command's answer as it goes out; the log line of the request names the events that it committed. */
export function answered(answer: {
  status: number;
  body: Uint8Array;
  eventIds?: readonly string[];
}): BytesAnswer {
  return new BytesAnswer(answer.status, answer.body, undefined, answer.eventIds);
}
