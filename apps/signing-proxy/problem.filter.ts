import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type TLSSocket } from 'node:tls';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import { clientName } from './clients/client-name';
import { type RefusalCode, SigningRefusal } from './refusal';
import { SigningMetrics } from './signing.metrics';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from './signing-proxy.options';

const PROBLEMS: Record<RefusalCode, { status: number; title: string }> = {
  malformed_request: { status: 400, title: 'The request is not a signing request' },
  batch_too_large: { status: 413, title: 'Too many requests in one batch' },
  body_too_large: { status: 413, title: 'The body is too large' },
  client_not_permitted: { status: 403, title: 'This client may not have this signed' },
  unknown_purpose: { status: 422, title: 'Nothing is signed for this purpose' },
  unknown_key: { status: 422, title: 'There is no such key' },
  wrong_key_purpose: { status: 422, title: 'The key does not serve this purpose' },
  input_not_of_purpose: { status: 422, title: 'The input is not what this purpose signs' },
  foreign_origin: { status: 422, title: 'The input belongs to another kernel' },
  below_high_water_mark: { status: 409, title: 'Signed events build on a later position already' },
  nothing_to_open: { status: 409, title: 'The mark is not above this position' },
  key_exists: { status: 409, title: 'There is another key of this name' },
  too_many_keys: { status: 409, title: 'As many keys were made as may be' },
  keys_made_elsewhere: { status: 409, title: 'Keys are not made here' },
  rate_limited: { status: 429, title: 'This client has too much signed' },
  not_found: { status: 404, title: 'There is no such resource' },
  overloaded: { status: 503, title: 'Too much is being signed' },
  signing_unavailable: { status: 503, title: 'The signing backend does not answer' },
};

/** RFC 9457 section 3.1.1, as the kernel's own problems. */
const PROBLEM_TYPE_BASE = 'https://illuvrse.dev/kernel/problems/';

/** The one place where a failure becomes an answer (RFC 9457), a line in the log and a count. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly metrics: SigningMetrics,
  ) {}

  /** Names that the configuration does not know would make labels without end. */
  private named(client: string | undefined): string | undefined {
    return this.options.clients.some(({ cn }) => cn === client) ? client : undefined;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<IncomingMessage>(), http.getResponse<ServerResponse>());
  }

  /** For what Nest does not serve, and so does not catch. */
  answer(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (response.headersSent || request.socket.destroyed) return;
    const refusal = asRefusal(error);
    if (!refusal) {
      const errorId = randomUUID();
      this.options.logger.error({ error_id: errorId, err: error }, 'unexpected error');
      send(response, 500, {
        error: 'internal_error',
        title: 'Something went wrong here',
        error_id: errorId,
      });
      return;
    }
    this.metrics.refused(refusal.code, this.named(nameOf(request)));
    this.options.logger.warn(
      { client: nameOf(request), reason: refusal.code, ...refusal.context, detail: refusal.message },
      'refused',
    );
    const { status, title } = PROBLEMS[refusal.code];
    if (status === 503 || status === 429) response.setHeader('Retry-After', '1');
    send(response, status, {
      error: refusal.code,
      title,
      detail: refusal.message,
      ...(refusal.context.index !== undefined && { index: refusal.context.index }),
      ...(refusal.context.mark !== undefined && { mark: refusal.context.mark }),
    });
  }
}

function asRefusal(error: unknown): SigningRefusal | null {
  if (error instanceof SigningRefusal) return error;
  if (error instanceof HttpException && error.getStatus() === 404)
    return new SigningRefusal('not_found', error.message);
  return null;
}

function nameOf(request: IncomingMessage): string | undefined {
  try {
    return clientName(request.socket as TLSSocket);
  } catch {
    return undefined;
  }
}

function send(
  response: ServerResponse,
  status: number,
  problem: { error: string; [member: string]: unknown },
): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  response.end(JSON.stringify({ type: PROBLEM_TYPE_BASE + problem.error, status, ...problem }));
}
