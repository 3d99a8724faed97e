import { type components } from '#openapi/kernel';

export type ProblemBody = components['schemas']['Problem'];

/** A refusal of the kernel (RFC 9457). */
export class ApiProblem extends Error {
  readonly status: number;
  /** What is wrong, for programs. */
  readonly word: string;
  readonly body: Partial<ProblemBody>;
  /** Seconds after which it is worth to ask again, where the kernel says so. */
  readonly retryAfterS: number | null;

  constructor(status: number, body: Partial<ProblemBody>, retryAfterS: number | null = null) {
    super(body.detail ?? body.title ?? `The kernel answered with status ${status}.`);
    this.name = 'ApiProblem';
    this.status = status;
    this.word = body.error ?? `status_${status}`;
    this.body = body;
    this.retryAfterS = retryAfterS;
  }
}

/** No answer came: the network or the kernel is away. */
export class Unreachable extends Error {
  constructor(options?: ErrorOptions) {
    super('The kernel does not answer.', options);
    this.name = 'Unreachable';
  }
}

/** What a person is told: what happened, and what to do. */
export interface Told {
  readonly title: string;
  readonly detail: string;
  /** What to give to whoever reads the kernel's log. */
  readonly reference: string | null;
}

/** Words for which the kernel's own sentence is for programs, or for which a person needs to know what to do. */
const TITLES: Readonly<Record<string, string>> = {
  forbidden: 'You may not do that',
  sign_in_required: 'Your session has ended',
  reauthentication_required: 'Sign in again to do this',
  foreign_origin: 'This page is open under another address than the kernel expects',
  not_found: 'There is no such thing',
  not_in_log_yet: 'Not in the published log yet',
  position_unavailable: 'The index is behind',
  overloaded: 'The kernel has too much to do',
  read_only: 'The kernel is read-only',
  safe_mode: 'The kernel is in safe mode',
  signing_unavailable: 'Nothing can be signed at the moment',
  sign_in_unavailable: 'The kernel cannot tell who you are at the moment',
  store_unavailable: 'The database does not answer',
  invalid_request: 'The kernel does not take this',
};

const BY_STATUS: Readonly<Record<number, string>> = {
  403: 'You may not do that',
  404: 'There is no such thing',
  409: 'That has changed in the meantime',
  413: 'That is too large',
  422: 'This was sent before with another content',
};

/** Sentences for any error that a query, a command or a component ends with. */
export function told(error: unknown): Told {
  if (error instanceof Unreachable) {
    return {
      title: 'The kernel does not answer',
      detail:
        'Either this device has no connection, or the kernel is away. What was asked is asked again by itself.',
      reference: null,
    };
  }
  if (error instanceof ApiProblem) {
    const title =
      TITLES[error.word] ??
      BY_STATUS[error.status] ??
      (error.status >= 500 ? 'The kernel failed' : 'The kernel refuses');
    const wait = error.retryAfterS === null ? '' : ` Try again in ${error.retryAfterS} s.`;
    const reference = error.body.error_id ?? null;
    return { title, detail: `${error.message}${wait}`, reference };
  }
  const detail = error instanceof Error ? error.message : String(error);
  return { title: 'This page failed', detail, reference: null };
}

/** Whether the same request can be expected to succeed soon. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof ApiProblem && (error.status === 503 || error.status === 429);
}
