import { type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { type BytesAnswer } from './answers';
import { contextOf } from './request-context';

/** Durability beyond the commit that a caller may wait for, in the header Kernel-Await. */
export type Durability = (typeof DURABILITIES)[number];

const DURABILITIES = ['published', 'archived', 'logged'] as const;

/** Knows how durable events are. */
export interface DurabilityWatch {
  /** Default and upper bound of a wait. */
  readonly maxWaitMs: number;
  /** False when the time is over, the signal is aborted, or no more can wait. */
  reached(durability: Durability, position: string, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** Releases all waiting requests: the app is about to close. */
  release(): Promise<void>;
}

/**
 * Settles with the status of an answer to a write whose caller waits for more than the commit: its own when the events
 * are that durable, 202 (RFC 9110 section 15.3.3) when the wait timed out. Undefined, with no wait, for every other
 * answer.
 */
export function awaitedStatus(
  response: ServerResponse,
  answer: BytesAnswer,
  watch: DurabilityWatch,
): Promise<number> | undefined {
  const { headers } = response.req;
  const wanted = DURABILITIES.find((one) => one === headers['kernel-await']);
  if (wanted === undefined) return undefined;
  if (contextOf(response.req)?.operation?.writes !== true || answer.status >= 300) return undefined;
  const { position } = JSON.parse(Buffer.from(answer.body).toString('utf8')) as { position?: string };
  if (position === undefined) return undefined;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const waitMs = waitMsOf(headers, watch.maxWaitMs);
  return watch
    .reached(wanted, position, waitMs, gone.signal)
    .then((reached) => (reached ? answer.status : 202));
}

/** How long a request waits: as long as it may, or less by `Prefer`. */
export function waitMsOf({ prefer }: IncomingHttpHeaders, maxWaitMs: number): number {
  return Math.min(maxWaitMs, preferredWaitMs(prefer) ?? maxWaitMs);
}

/** RFC 7240 section 4.3: seconds that the caller is willing to wait. */
function preferredWaitMs(prefer: string | string[] | undefined): number | undefined {
  const found = /(?:^|,)\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:[;,]|$)/i.exec(String(prefer ?? ''));
  return found === null ? undefined : Number(found[1]) * 1_000;
}
