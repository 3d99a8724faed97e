import { setTimeout as delay } from 'node:timers/promises';
import { type Secret } from '#platform/process';
import { ElectionSession } from './election-session';

/**
 * How long others wait for a silent holder. Long compared with any pause of a healthy process (garbage collection, a
 * busy machine), short compared with the cost of a backlog. A killed holder is replaced at once nevertheless: its lock
 * ends with its session.
 */
export const DEFAULT_LEASE_MS = 5_000;
/** Renewals per lease, so that one may fail. */
const RENEWALS = 4;
/** Interval at which a candidate asks for the lock; PostgreSQL announces a free one only to an open statement. */
const DEFAULT_POLL_MS = 250;
/** Pause before the next candidacy. */
const RECONNECT_MS = 250;

export interface ElectionOptions {
  /** URL of PostgreSQL itself, not of a pooler; the role may write kernel.leadership. One connection stays open. */
  url: Secret;
  /** Name of the job, `outbox-relay/0`: it has at most one leader. */
  name: string;
  /** Names this candidate to people. */
  holder: string;
  leaseMs?: number;
  pollMs?: number;
  observer?: ElectionObserver;
}

export interface ElectionObserver {
  onElected?(term: Term): void;
  /** The term is over, with the reason in words. */
  onEnded?(term: Term, reason: string): void;
  /** The session of a frozen holder was ended. */
  onTakeOver?(): void;
  /** PostgreSQL is unreachable; tried again. */
  onUnavailable?(error: Error): void;
}

/** One term as the leader. */
export interface Term {
  readonly name: string;
  /**
   * Higher than that of every earlier term. Fences: a row that only the leader may change carries the epoch of the
   * leader that took it over, and each statement compares it. The signal below is a courtesy; this is the guarantee.
   */
  readonly epoch: number;
  /** Aborted when the term is over: the lease expired, the session was lost, or the candidate was told to stop. */
  readonly signal: AbortSignal;
  /** Whether the lease still runs by this process's own clock: check directly before irreversible steps. */
  holds(): boolean;
}

/**
 * Waits to be elected, then runs `lead` for as long as the term lasts, again and again until `signal` is aborted.
 *
 * Mutual exclusion is a session advisory lock; the row in kernel.leadership adds a lease, renewed on that very session.
 * A killed holder loses the lock with its session. A frozen one keeps both, so when its lease has expired the next
 * candidate ends its session and is elected with a higher epoch. Candidates use the database's time; the holder uses a
 * monotonic clock and counts from before it asked for the renewal: it stops no later than others start, as long as it
 * runs. A holder that is frozen and woken may act before it notices; the epoch protects against that.
 *
 * A `lead` that resolves before that resigns. An error that it throws during the term is passed on; one after the
 * term's end is a consequence of it, and the candidate stands again.
 */
export async function standForElection(
  options: ElectionOptions,
  lead: (term: Term) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { url, name, leaseMs = DEFAULT_LEASE_MS, observer = {} } = options;
  while (!signal.aborted) {
    let session: ElectionSession | undefined;
    try {
      session = await ElectionSession.open(url, name, leaseMs);
      const won = await waitForVictory(session, options, signal);
      if (won === null) continue;
      await serve(session, options, won, lead, signal);
    } catch (error) {
      if (error instanceof LeaderFailed) throw error.cause;
      observer.onUnavailable?.(error as Error);
    } finally {
      await session?.close();
    }
    await pause(RECONNECT_MS, signal);
  }
}

/** Carries an error that `lead` threw during its term past the handling of an unreachable database. */
class LeaderFailed extends Error {}

interface Victory {
  epoch: number;
  /** `performance.now()` before the request. */
  askedAt: number;
}

async function waitForVictory(
  session: ElectionSession,
  { holder, pollMs = DEFAULT_POLL_MS, observer }: ElectionOptions,
  signal: AbortSignal,
): Promise<Victory | null> {
  while (!signal.aborted && !session.isFormer) {
    const askedAt = performance.now();
    const epoch = await session.win(holder);
    if (epoch !== null) return { epoch, askedAt };
    if (await session.endExpired()) observer?.onTakeOver?.();
    await pause(pollMs, signal);
  }
  return null;
}

async function serve(
  session: ElectionSession,
  { name, leaseMs = DEFAULT_LEASE_MS, observer }: ElectionOptions,
  { epoch, askedAt }: Victory,
  lead: (term: Term) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const lease = { renewedAt: askedAt };
  const left = (): number => lease.renewedAt + leaseMs - performance.now();
  const term: Term = {
    name,
    epoch,
    signal: AbortSignal.any([signal, over.signal]),
    holds: () => !term.signal.aborted && left() > 0,
  };
  void session.lost.then((reason) => over.abort(reason));
  observer?.onElected?.(term);
  const renewing = renew(session, epoch, leaseMs, lease, left, term.signal).then((reason) =>
    over.abort(reason),
  );
  try {
    await lead(term);
  } catch (error) {
    if (term.holds()) throw new LeaderFailed('leading failed', { cause: error });
  } finally {
    over.abort('it resigned');
    await renewing;
    observer?.onEnded?.(term, signal.aborted ? 'it was told to stop' : String(over.signal.reason));
  }
}

/** Keeps the lease; settles with the reason when it is lost, or when the term is over for another one. */
async function renew(
  session: ElectionSession,
  epoch: number,
  leaseMs: number,
  lease: { renewedAt: number },
  left: () => number,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    await pause(leaseMs / RENEWALS, signal);
    if (signal.aborted) return String(signal.reason);
    if (left() <= 0) return 'its lease ran out before it could be renewed';
    const askedAt = performance.now();
    try {
      if (!(await session.renew(epoch, left()))) return 'another candidate was elected';
    } catch (error) {
      return `its lease could not be renewed: ${(error as Error).message}`;
    }
    lease.renewedAt = askedAt;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
