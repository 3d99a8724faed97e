import { createHash } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { type Principal } from './access/principal';
import { canonicalize, MAX_DEPTH, type JsonValue } from '#evidence';
import { type LogContext } from '#platform/process';
import { beginServing, type TracedSpan } from '#platform/tracing';
import { type Operation } from './contract/operation';

const CONTEXT = Symbol('request context');
type CarryingRequest = { [CONTEXT]?: RequestContext; body?: JsonValue };

/** RFC 9562, versions 1 to 8. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** Caller and request that an answer belongs to, in the form in which the event store keeps answers. */
export interface IdempotencyClaim {
  readonly caller: string;
  readonly key: string;
  readonly requestHash: string;
}

/** The edge's knowledge of one request. Also the context of every log line written on its behalf. */
export class RequestContext implements LogContext {
  /** The caller; set once the guard has identified them. */
  principal?: Principal;
  /** The Idempotency-Key header as it came: 1 to 255 characters of visible ASCII. */
  idempotencyKey?: string;
  /** The operation of the OpenAPI document; undefined for an unknown route. */
  operation?: Operation;
  /** Id under which the logs have a failure. */
  errorId?: string;
  /** performance.now() when the head of the request had been read. */
  readonly startedAt: number = performance.now();
  /** The request's span: the caller's trace, or one begun here; undefined where nobody would see it. */
  readonly span: TracedSpan | undefined;
  private events: readonly string[] = [];
  private hash?: string;

  constructor(
    /** The caller's X-Request-Id where it is a plain token, else one made here. */
    readonly requestId: string,
    private readonly request: IncomingMessage,
  ) {
    this.span = beginServing(request.method ?? '', request.headers.traceparent);
  }

  get traceId(): string | undefined {
    return this.span?.traceId;
  }

  get principalId(): string | undefined {
    return this.principal?.id;
  }

  /** The request id where it is a UUID (those made here are), for the events that the request causes. */
  get correlationId(): string | null {
    return UUID.test(this.requestId) ? this.requestId.toLowerCase() : null;
  }

  /** Notes which events a handler wrote, for the request's log line. */
  noteEvents(ids: readonly string[]): void {
    this.events = ids;
  }

  get eventIds(): readonly string[] {
    return this.events;
  }

  /**
   * Returns null without an Idempotency-Key. Callers of different kinds do not share keys even if their ids are equal.
   */
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
    // A body may wrap a document of the maximum depth.
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
