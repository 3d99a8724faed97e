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

/** Texts of an app for its callers beyond its error codes. */
export interface ProblemWording {
  /** Text for faults that the caller cannot help, by status; the answer also has the error_id. */
  fault(status: number): { readonly title?: string; readonly detail?: string };
  /** Whether answers have the members `instance` and `request_id`. */
  readonly tellsRequest: boolean;
}

const WORDING: ProblemWording = {
  tellsRequest: true,
  fault: (status) => ({
    detail:
      status === 503
        ? 'The kernel cannot take this request at the moment. Try again after Retry-After seconds; error_id names the cause in its log.'
        : 'The kernel failed to answer this request. error_id names the cause in its log.',
  }),
};

/** Called with each problem that a caller gets. */
export type ProblemObserver = (word: string, error: unknown, request: IncomingMessage) => void;

interface Shape {
  readonly status: number;
  readonly word: string;
  readonly title: string;
  readonly detail: string | undefined;
  /** Our fault: it gets an id, under which the log has the rest. */
  readonly fault: boolean;
  /** Gets an id, and a line in the log. */
  readonly traced: boolean;
  readonly retryAfter: number | undefined;
  readonly challenge?: string | undefined;
  readonly members: Readonly<Record<string, unknown>>;
}

/** Words for errors of Nest itself; the modules throw errors of their own. */
const WORDS_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  404: 'not_found',
  405: 'method_not_allowed',
};

/** Turns any error into an RFC 9457 answer. For a fault, the caller gets an id and the log everything else. */
export class ProblemWriter {
  constructor(
    private readonly problems: ProblemMap,
    private readonly logger: Logger,
    private readonly wording: ProblemWording = WORDING,
    private readonly observe: ProblemObserver = () => undefined,
  ) {}

  write(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    const shape = this.shapeOf(error);
    const context = contextOf(request);
    let errorId: string | undefined;
    this.observe(shape.word, error, request);
    if (shape.traced) {
      errorId = randomUUID();
      if (context !== undefined) context.errorId = errorId;
      this.log(shape, error, errorId);
    }
    if (response.headersSent) {
      // Part of the answer is sent: the only honest ending is one that cannot be mistaken for a complete answer.
      response.destroy();
      return;
    }
    const body = JSON.stringify({
      type: PROBLEM_TYPE_BASE + shape.word,
      title: shape.title,
      status: shape.status,
      detail: shape.detail,
      ...(this.wording.tellsRequest && { instance: request.url?.split('?', 1)[0] }),
      error: shape.word,
      ...(this.wording.tellsRequest && { request_id: context?.requestId, trace_id: context?.traceId }),
      error_id: errorId,
      ...shape.members,
    });
    response.statusCode = shape.status;
    response.setHeader('Content-Type', PROBLEM_CONTENT_TYPE);
    response.setHeader('Cache-Control', 'no-store');
    if (shape.retryAfter !== undefined) response.setHeader('Retry-After', String(shape.retryAfter));
    if (shape.challenge !== undefined) response.setHeader('WWW-Authenticate', shape.challenge);
    response.end(body);
  }

  private shapeOf(error: unknown): Shape {
    const spec = this.problems.find(error);
    if (spec !== undefined) {
      const coded = error as CodedError;
      // What went wrong inside is for the log; `details` of a 5xx are not for the caller either.
      const fault = spec.status >= 500 && spec.explained !== true && spec.told !== true;
      const retryAfter = spec.retryAfter ?? (spec.status === 503 ? DEFAULT_RETRY_AFTER_S : undefined);
      if (fault) {
        const general = this.fault(spec.status, spec.word, spec.title, retryAfter);
        if (spec.detail === undefined) return general;
        return { ...general, detail: spec.detail, members: pick(coded, spec.members ?? []) };
      }
      return {
        status: spec.status,
        word: spec.word,
        title: spec.title,
        detail: coded.message,
        fault,
        traced: spec.told === true,
        retryAfter,
        challenge: spec.challenge,
        members: pick(coded, spec.members ?? []),
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
        fault: false,
        traced: false,
        retryAfter: undefined,
        members: {},
      };
    }
    return this.fault(500, 'internal_error', 'Internal Server Error', undefined);
  }

  private fault(status: number, word: string, title: string, retryAfter: number | undefined): Shape {
    const { detail, ...worded } = this.wording.fault(status);
    return { status, word, title, detail, retryAfter, fault: true, traced: true, members: {}, ...worded };
  }

  private log(shape: Shape, error: unknown, errorId: string): void {
    const fields = { error_id: errorId, error: shape.word, err: error };
    // An expected refusal for lack of a signer or of room is not a defect of the program.
    if (shape.status === 503 || !shape.fault) this.logger.warn(fields, 'request refused');
    else this.logger.error(fields, 'request failed');
  }
}

function pick(error: CodedError, members: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const member of members) {
    const value = error.details[member] ?? (error as unknown as Readonly<Record<string, unknown>>)[member];
    if (value !== undefined) picked[member] = value;
  }
  return picked;
}
