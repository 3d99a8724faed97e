import { randomBytes } from 'node:crypto';
import { type Request } from 'express';
import { newEventId } from '#platform/event-store';
import { PeopleError } from '../domain/people.error';
import { newTimes, type PendingSignIn, SIGN_IN_LIMITS, SIGN_IN_MS } from '../domain/person-session';
import '../sessions/session-content';

/** Tabs of one browser in which a sign-in is begun at the same time. */
const MOST_BEGUN = 5;

/** Sign-ins that a browser's session has begun, by their state; each is good for one answer. */
export async function rememberSignIn(request: Request, pending: PendingSignIn): Promise<string> {
  const state = randomBytes(32).toString('base64url');
  const begun = Object.entries(request.session.signIns ?? {})
    .filter(([, { startedAt }]) => Date.now() - startedAt < SIGN_IN_MS)
    .slice(1 - MOST_BEGUN);
  request.session.signIns = Object.fromEntries([...begun, [state, pending]]);
  // Before express-session compares the session with what was saved, or it would be written a second time.
  request.session.row ??= { id: newEventId(), ...newTimes(Date.now(), SIGN_IN_LIMITS) };
  await saved(request);
  return state;
}

/**
 * Takes the sign-in that an answer belongs to. It is written back before anything is done with the answer: of two requests
 * with one state, the second finds that the session has changed.
 * @throws PeopleError `state_mismatch`
 */
export async function takeSignIn(request: Request, state: unknown): Promise<PendingSignIn> {
  const { signIns = {} } = request.session;
  const pending = typeof state === 'string' && Object.hasOwn(signIns, state) ? signIns[state] : undefined;
  if (pending === undefined || Date.now() - pending.startedAt >= SIGN_IN_MS) throw mismatch();
  const { [state as string]: _taken, ...others } = signIns;
  request.session.signIns = others;
  try {
    await saved(request);
  } catch (error) {
    if (error instanceof PeopleError && error.code === 'session_changed') throw mismatch(error);
    throw error;
  }
  return pending;
}

function mismatch(cause?: unknown): PeopleError {
  return new PeopleError(
    'state_mismatch',
    'This answer belongs to no sign-in that was begun in this browser, or to one that was answered or took too long. Sign in again.',
    {},
    { cause },
  );
}

export function saved({ session }: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    session.save((error?: Error | null) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}
