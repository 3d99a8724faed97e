import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { HttpException } from '@nestjs/common';
import { type CodedError } from '#evidence';
import { type Logger } from '#platform/process';
import { contextOf } from '../request-context';
import { type ProblemMap } from './problem-map';

/** RFC 9457 section 3.1.1: where a type can be read about. The last segment is the word in `error`. */
export const PROBLEM_TYPE_BASE = 'https://illuvrse.dev/kernel/problems/';
export const PROBLEM_CONTENT_TYPE = 'application/problem+json';
const DEFAULT_RETRY_AFTER_S = 1;

interface Shape {
  readonly status: number;
  readonly word: string;
  readonly title: string;
  readonly detail: string;
  readonly retryAfter: number | undefined;
  readonly members: Readonly<Record<string, unknown>>;
}

/** Words for what Nest itself throws; the modules throw errors of their own. */
const WORDS_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  404: 'not_found',
  405: 'method_not_allowed',
};

/** Turns any error into an RFC 9457 answer. A 5xx tells the caller an id, and the log everything else. */
export class ProblemWriter {
  constructor(
    private readonly problems: ProblemMap,
    private readonly logger: Logger,
  ) {}

  write(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    const shape = this.shapeOf(error);
    const context = contextOf(request);
    let errorId: string | undefined;
    if (shape.status >= 500) {
      errorId = randomUUID();
      if (context !== undefined) context.errorId = errorId;
      this.log(shape, error, errorId);
    }
    if (response.headersSent) {
      // Part of the answer is out: the only honest ending is one that cannot be taken for a complete answer.
      response.destroy();
      return;
    }
    const body = JSON.stringify({
      type: PROBLEM_TYPE_BASE + shape.word,
      title: shape.title,
      status: shape.status,
      detail: shape.detail,
      instance: request.url?.split('?', 1)[0],
      error: shape.word,
      request_id: context?.requestId,
      error_id: errorId,
      ...shape.members,
    });
    response.statusCode = shape.status;
    response.setHeader('Content-Type', PROBLEM_CONTENT_TYPE);
    response.setHeader('Cache-Control', 'no-store');
    if (shape.retryAfter !== undefined) response.setHeader('Retry-After', String(shape.retryAfter));
    response.end(body);
  }

  private shapeOf(error: unknown): Shape {
    const spec = this.problems.find(error);
    if (spec !== undefined) {
      const coded = error as CodedError;
      // What went wrong inside is for the log; `details` of a 5xx are not for the caller either.
      const shown = spec.status < 500;
      return {
        status: spec.status,
        word: spec.word,
        title: spec.title,
        detail: shown ? coded.message : ourFault(spec.status),
        retryAfter: spec.retryAfter ?? (spec.status === 503 ? DEFAULT_RETRY_AFTER_S : undefined),
        members: shown ? pick(coded, spec.members ?? []) : {},
      };
    }
    if (error instanceof HttpException && error.getStatus() < 500) {
      const status = error.getStatus();
      const word = WORDS_BY_STATUS[status] ?? 'invalid_request';
      return {
        status,
        word,
        title: error.message,
        detail: error.message,
        retryAfter: undefined,
        members: {},
      };
    }
    return {
      status: 500,
      word: 'internal_error',
      title: 'Internal Server Error',
      detail: ourFault(500),
      retryAfter: undefined,
      members: {},
    };
  }

  private log(shape: Shape, error: unknown, errorId: string): void {
    const fields = { error_id: errorId, error: shape.word, err: error };
    // A foreseen refusal for want of a signer or of room is no defect of the program.
    if (shape.status === 503) this.logger.warn(fields, 'request refused');
    else this.logger.error(fields, 'request failed');
  }
}

function ourFault(status: number): string {
  return status === 503
    ? 'The kernel cannot take this request at the moment. Try again after Retry-After seconds; error_id names the cause in its log.'
    : 'The kernel failed to answer this request. error_id names the cause in its log.';
}

function pick(error: CodedError, members: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const member of members) {
    const value = error.details[member] ?? (error as unknown as Readonly<Record<string, unknown>>)[member];
    if (value !== undefined) picked[member] = value;
  }
  return picked;
}
