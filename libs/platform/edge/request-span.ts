import { type IncomingMessage } from 'node:http';
import { type RequestRecord } from '#platform/process';
import { recordFailure } from '#platform/tracing';
import { type RequestContext } from './request-context';

/**
 * Ends the span of a request (OpenTelemetry semantic conventions, "HTTP server"). A failure of ours is recorded always.
 * @returns whether this process records the trace
 */
export function endServing(
  context: RequestContext,
  request: IncomingMessage,
  record: RequestRecord,
): boolean {
  const { span } = context;
  if (span === undefined) return false;
  const { method, route, status, ms, requestId, errorId, eventIds } = record;
  const failure = status >= 500 ? new AnsweredWithError(status) : null;
  if (failure === null && !span.isRecorded) return false;
  const name = `${method} ${route}`;
  const attributes = {
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': status,
    'kernel.request_id': requestId,
    ...(errorId !== undefined && { 'kernel.error_id': errorId }),
    ...(eventIds?.[0] !== undefined && { 'kernel.event_id': eventIds[0], 'kernel.events': eventIds.length }),
  };
  if (span.isRecorded) {
    span.rename(name);
    span.set(attributes);
    span.end(failure);
    return true;
  }
  return recordFailure(name, span, request.headers.traceparent, {
    startedAt: Date.now() - ms,
    attributes,
    failure: failure ?? new AnsweredWithError(status),
  });
}

/** The status is what the conventions name as the kind of error; the log has the rest under its error_id. */
class AnsweredWithError extends Error {
  readonly code: string;

  constructor(status: number) {
    super(`answered with ${status}`);
    this.code = String(status);
  }
}
