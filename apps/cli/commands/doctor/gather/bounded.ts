import { type Looked } from '../facts';

/** Longest that any part is looked at. */
export const PART_TIMEOUT_MS = 20_000;

/** Looks at one part for a limited time. What goes wrong is an answer, too; it names no credentials. */
export async function looked<T>(look: () => Promise<T>, timeoutMs = PART_TIMEOUT_MS): Promise<Looked<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return { kind: 'seen', value: await Promise.race([look(), late]) };
  } catch (error) {
    return { kind: 'failed', why: reasonOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

const MAX_REASON = 300;

/** An error in one line; several of one connection (IPv4, IPv6) as their first. */
export function reasonOf(error: unknown): string {
  const first =
    error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as unknown) : error;
  const { message, code } = first as { message?: string; code?: string };
  const text = message === undefined || message === '' ? (code ?? String(first)) : message;
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1[redacted]@')
    .replaceAll(/\s*\n\s*/g, ' ')
    .slice(0, MAX_REASON);
}
