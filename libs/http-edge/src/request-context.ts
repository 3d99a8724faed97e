import { createHash } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { canonicalize, type JsonValue } from '#libs/evidence';
import { type LogContext } from '#libs/observability';
import { type Operation } from './contract/operation';

const CONTEXT = Symbol('request context');
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
type CarryingRequest = { [CONTEXT]?: RequestContext; body?: JsonValue };

/** What the edge knows of one request. Also the context of every log line that is written on its behalf. */
export class RequestContext implements LogContext {
  /** Who is calling; set once the guard has identified them. */
  principalId?: string;
  /** The Idempotency-Key header as it came: 1 to 255 characters of visible ASCII. */
  idempotencyKey?: string;
  /** The operation of openapi/kernel.yaml; undefined for an unknown route. */
  operation?: Operation;
  /** A handler notes here which event it wrote, for the request's log line. */
  eventId?: string;
  /** Under which a failure is found in the logs. */
  errorId?: string;
  /** performance.now() when the head of the request had been read. */
  readonly startedAt: number = performance.now();
  private hash?: string;

  constructor(
    /** The caller's X-Request-Id where it is a plain token, else one made here. */
    readonly requestId: string,
    private readonly request: IncomingMessage,
  ) {}

  /**
   * Hex SHA-256 that tells whether two requests with one idempotency key are the same request: over method, target
   * and canonical body (RFC 8785), so that a client may send its retry with other whitespace or member order.
   */
  get requestHash(): string {
    this.hash ??= createHash('sha256')
      .update(`${this.request.method}\n${this.request.url}\n`)
      .update(bodyText((this.request as CarryingRequest).body))
      .digest('hex');
    return this.hash;
  }

  /** For the request's log line: the first event that it wrote; the others follow it in the chain. */
  noteEvents(ids: readonly string[]): void {
    if (ids[0] !== undefined) this.eventId = ids[0];
  }

  /** The request id where it is a UUID, so that an event can name the request that caused it. */
  get correlationId(): string | null {
    return UUID.test(this.requestId) ? this.requestId.toLowerCase() : null;
  }

  /** The caller's claim to get the same answer to the same request again; null without an Idempotency-Key. */
  idempotencyClaim(): { caller: string; key: string; requestHash: string } | null {
    const { principalId, idempotencyKey } = this;
    if (principalId === undefined || idempotencyKey === undefined) return null;
    return { caller: principalId, key: idempotencyKey, requestHash: this.requestHash };
  }
}

function bodyText(body: JsonValue | undefined): string {
  return body === undefined ? '' : canonicalize(body);
}

export function attachContext(request: IncomingMessage, context: RequestContext): void {
  (request as CarryingRequest)[CONTEXT] = context;
}

export function contextOf(request: object): RequestContext | undefined {
  return (request as CarryingRequest)[CONTEXT];
}

/** Parameter decorator: the RequestContext. */
export const Context = createParamDecorator((_: unknown, context: ExecutionContext): RequestContext => {
  const found = contextOf(context.switchToHttp().getRequest<object>());
  if (found === undefined)
    throw new TypeError('@Context() is used in an app that createServiceApp did not make.');
  return found;
});
