import { randomUUID } from 'node:crypto';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { AccessError } from '#platform/edge';
import { EventStoreError } from '#platform/event-store';
import { type Logger } from '#platform/process';
import { PeopleError, type PeopleErrorCode } from '../domain/people.error';
import { type PeopleOptions } from '../people.options';
import { type SessionRecords } from '../sessions/session-records';
import { escaped, sendPage } from './site-page';

/** Statuses of refusals on pages; those of the API are in apps/kernel/kernel.problems.ts. */
const STATUS: Readonly<Record<PeopleErrorCode, number>> = {
  provider_unavailable: 503,
  keys_rotated: 401,
  provider_refused: 403,
  state_mismatch: 400,
  issuer_mismatch: 400,
  code_refused: 401,
  invalid_id_token: 401,
  clock_skew: 401,
  not_reauthenticated: 401,
  ambiguous_roles: 403,
  invalid_logout_token: 400,
  invalid_access_token: 401,
  not_recordable: 503,
  too_many_sign_ins: 503,
  session_not_found: 404,
  session_changed: 409,
};

interface Told {
  readonly status: number;
  readonly error: string;
  readonly sentence: string;
}

/** Answers an error on a page with a sentence, or as a problem for those who do not ask for a page; refusals are recorded. */
@Catch()
export class SiteFilter implements ExceptionFilter {
  constructor(
    private readonly options: PeopleOptions,
    private readonly records: SessionRecords,
    private readonly logger: Logger,
  ) {}

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const [request, response] = [http.getRequest<Request>(), http.getResponse<Response>()];
    const told = this.told(error);
    if (error instanceof PeopleError) {
      const { sub } = error.details as { sub?: string };
      // Messages of causes alone: their details hold the code, and may hold tokens.
      this.logger.warn({ reason: error.code, causes: messagesOf(error.cause) }, 'sign-in refused');
      await this.records.refused(error.code, this.options.issuer, sub ?? null);
    }
    if (response.headersSent) return void response.destroy();
    const { status, error: word, sentence } = told;
    if (status === 503) response.set('Retry-After', '5');
    if (status === 401) response.set('WWW-Authenticate', 'Bearer');
    response.set('Cache-Control', 'no-store');
    if (request.accepts(['html', 'json']) === 'html') {
      const again = status === 404 ? '' : '\n<p><a href="/auth/login">Sign in again</a></p>';
      sendPage(response, status, titleOf(status), `<p>${escaped(sentence)}</p>${again}`);
    } else {
      response
        .status(status)
        .type('application/problem+json')
        .send(JSON.stringify({ title: titleOf(status), status, detail: sentence, error: word }));
    }
  }

  private told(error: unknown): Told {
    if (error instanceof PeopleError) {
      return { status: STATUS[error.code], error: error.code, sentence: error.message };
    }
    if (error instanceof AccessError) {
      const status =
        error.code === 'sign_in_unavailable' ? 503 : error.code === 'sign_in_required' ? 401 : 403;
      return { status, error: error.code, sentence: error.message };
    }
    if (error instanceof EventStoreError && error.code === 'store_unavailable') {
      this.logger.warn({ causes: messagesOf(error.cause) }, 'a page was refused');
      const sentence =
        'No one can sign in at the moment, because the database does not answer. Try again in a minute.';
      return { status: 503, error: error.code, sentence };
    }
    if (error instanceof HttpException && error.getStatus() < 500) {
      const status = error.getStatus();
      return { status, error: status === 404 ? 'not_found' : 'invalid_request', sentence: error.message };
    }
    const errorId = randomUUID();
    this.logger.error({ error_id: errorId, err: error }, 'a page failed');
    return {
      status: 500,
      error: 'internal_error',
      sentence: `The kernel failed to answer this request; its log has the cause under ${errorId}.`,
    };
  }
}

function titleOf(status: number): string {
  if (status === 404) return 'There is no such page';
  return status === 503 ? 'Not available at the moment' : 'You are not signed in';
}

const DEEPEST_CAUSE = 5;

function messagesOf(error: unknown): string[] {
  const messages: string[] = [];
  for (let cause = error; cause instanceof Error && messages.length < DEEPEST_CAUSE; cause = cause.cause) {
    messages.push(cause.message.slice(0, 300));
  }
  return messages;
}
