import { STATUS_CODES } from 'node:http';
import { CodedError } from '#evidence';

/** One error code as callers see it. */
export interface ProblemSpec {
  readonly status: number;
  /** The machine word in `error`; default: the code itself. */
  readonly word?: string;
  /** Default: the status's own phrase. */
  readonly title?: string;
  /** Seconds; sent as Retry-After. Every 503 has one, by default 1. */
  readonly retryAfter?: number;
  /** Sent as WWW-Authenticate; every 401 has one (RFC 9110 section 15.5.2). */
  readonly challenge?: string;
  /** The error's message is for the caller whatever the status: an expected refusal, which no log has to explain. */
  readonly explained?: boolean;
  /**
   * What the server lacks has a cause that the caller may know: the error's message and `members` are sent, beside the id under
   * which the log has the rest.
   */
  readonly told?: boolean;
  /** Instead of the general sentence about a fault, where the error's own message is not for the caller. */
  readonly detail?: string;
  /** Members of the error's `details` (or of the error itself) that the caller may see. */
  readonly members?: readonly string[];
}

// The constructor's own parameters do not matter here, and only `never` accepts every list of them.
type CodedErrorClass<C extends string = string> = abstract new (...args: never) => CodedError<C>;

export interface ErrorProblems {
  readonly errorClass: CodedErrorClass;
  readonly byCode: Readonly<Record<string, ProblemSpec>>;
}

/** Maps every code of an error class; one that is forgotten does not compile. */
export function problemsOf<C extends string>(
  errorClass: CodedErrorClass<C>,
  byCode: Readonly<Record<C, ProblemSpec>>,
): ErrorProblems {
  return { errorClass, byCode };
}

/** Maps the class and code of an error to the problem that the caller gets: in one place, at the edge. */
export class ProblemMap {
  private readonly byClass = new Map<unknown, Readonly<Record<string, ProblemSpec>>>();

  constructor(problems: readonly ErrorProblems[]) {
    for (const { errorClass, byCode } of problems) this.byClass.set(errorClass, byCode);
  }

  /** Returns undefined for an unexpected error. */
  find(error: unknown): (ProblemSpec & { readonly word: string; readonly title: string }) | undefined {
    if (!(error instanceof CodedError)) return undefined;
    const { code } = error as CodedError;
    const byCode = this.byClass.get(error.constructor);
    const spec = byCode !== undefined && Object.hasOwn(byCode, code) ? byCode[code] : undefined;
    if (spec === undefined) return undefined;
    return { ...spec, word: spec.word ?? code, title: spec.title ?? STATUS_CODES[spec.status] ?? 'Error' };
  }
}
