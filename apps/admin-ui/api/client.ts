import createClient from 'openapi-fetch';
import { type paths } from '#openapi/kernel';
import { noteAnswer, noteNoAnswer, noteSessionEnded, noteWantsFresh } from './connection';
import { ApiProblem, type ProblemBody, Unreachable } from './problem';

/**
 * A request to the kernel with the session of this page. Against requests of other sites (CSRF) the kernel compares
 * `Origin`, which browsers send with every request that changes something; nothing has to be added here, and `mode: 'cors'`
 * keeps it from being blanked by the page's referrer policy.
 * @throws Unreachable
 */
export async function send(request: Request | string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(request, {
      credentials: 'same-origin',
      mode: 'cors',
      cache: 'no-store',
      redirect: 'error',
      ...init,
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    noteNoAnswer();
    throw new Unreachable({ cause });
  }
  noteAnswer(answer.headers.get('Kernel-Mode'));
  return answer;
}

/** The API of the contract, typed: `answered(api.GET('/kernel/audit/{id}', { params: { path: { id } } }))`. */
export const api = createClient<paths>({ baseUrl: location.origin, fetch: (request) => send(request) });

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** What the kernel answered. @throws ApiProblem, Unreachable */
export async function answered<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemOf(response, error);
  return data as T;
}

/** The refusal that an answer is; it is noted when it means that somebody has to sign in. */
export function problemOf(response: Response, body: unknown): ApiProblem {
  const given = typeof body === 'object' && body !== null ? (body as Partial<ProblemBody>) : {};
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
  const problem = new ApiProblem(response.status, given, Number.isFinite(seconds) ? seconds : null);
  if (problem.word === 'reauthentication_required') noteWantsFresh(true);
  else if (response.status === 401) noteSessionEnded(true);
  return problem;
}

/** An answer as text, byte for byte as it came. @throws ApiProblem, Unreachable */
export async function answeredText(path: string, signal?: AbortSignal): Promise<string> {
  const response = await send(path, signal === undefined ? {} : { signal });
  const text = await response.text();
  if (!response.ok) throw problemOf(response, parsed(text));
  return text;
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
