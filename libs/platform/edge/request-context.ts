import { createHash } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { type Principal } from './access/principal';
import { canonicalize, MAX_DEPTH, type JsonValue } from '#evidence';
import { type LogContext } from '#platform/process';
import { type Operation } from './contract/operation';

const CONTEXT = Symbol('request context');
type CarryingRequest = { [CONTEXT]?: RequestContext; body?: JsonValue };

/** RFC 9562, versions 1 to 8. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** Which caller's which request an answer belongs to; the shape that the event store keeps answers by. */
export interface IdempotencyClaim {
  readonly caller: string;
  readonly key: string;
  readonly requestHash: string;
}

/** What the edge knows of one request. Also the context of every log line that is written on its behalf. */
export class RequestContext implements LogContext {
  /** Who is calling; set once the guard has identified them. */
  principal?: Principal;
  /** The Idempotency-Key header as it came: 1 to 255 characters of visible ASCII. */
  idempotencyKey?: string;
  /** The operation of the OpenAPI document; undefined for an unknown route. */
  operation?: Operation;
  /** Under which a failure is found in the logs. */
  errorId?: string;
  /** performance.now() when the head of the request had been read. */
  readonly startedAt: number = performance.now();
  private events: readonly string[] = [];
  private hash?: string;

  constructor(
    /** The caller's X-Request-Id where it is a plain token, else one made here. */
    readonly requestId: string,
    private readonly request: IncomingMessage,
  ) {}

  get principalId(): string | undefined {
    return this.principal?.id;
  }

  /** The request id where it is a UUID (those made here are), for the events that the request causes. */
  get correlationId(): string | null {
    return UUID.test(this.requestId) ? this.requestId.toLowerCase() : null;
  }

  /** A handler says which events it wrote, for the request's log line. */
  noteEvents(ids: readonly string[]): void {
    this.events = ids;
  }

  get eventIds(): readonly string[] {
    return this.events;
  }

  /** null without an Idempotency-Key. Callers of different kinds do not share keys though their ids be the same. */
  idempotencyClaim(): IdempotencyClaim | null {
    const { idempotencyKey: key, principal } = this;
    if (key === undefined || principal === undefined) return null;
    return { caller: `${principal.kind}/${principal.id}`, key, requestHash: this.requestHash };
  }

  /**
   * Hex SHA-256 that tells whether two requests with one idempotency key are the same request: over method, target
   * and canonical body (RFC 8785), so that a client may send its retry with other whitespace or member order.
   */
  get requestHash(): string {
    this.hash ??= createHash('sha256')
      .update(`${this.request.method}\n${this.request.url}\n`)
      .update(this.bodyText())
      .digest('hex');
    return this.hash;
  }

  private bodyText(): string {
    const { body } = this.request as CarryingRequest;
    if (body === undefined) return '';
    // A body may wrap a document that is as deep as a document may be.
    const enclosing = MAX_DEPTH - (this.operation?.body?.maxDepth ?? MAX_DEPTH);
    return canonicalize(body, enclosing);
  }
}

export function attachContext(request: IncomingMessage, context: RequestContext): void {
  (request as CarryingRequest)[CONTEXT] = context;
}

export function contextOf(request: object): RequestContext | undefined {
  return (request as CarryingRequest)[CONTEXT];
}
