import { type RoleClaims } from './role-claims';

/** A person as the identity provider named them. */
export interface Person {
  readonly iss: string;
  readonly sub: string;
  /** The provider's own session, for back-channel logout. */
  readonly sid: string | null;
  /** Name to show; says nothing. */
  readonly name: string | null;
  readonly roleClaims: RoleClaims;
  /** When they proved who they are, in ms since 1970; null when the provider did not say. */
  readonly authenticatedAt: number | null;
}

/** A sign-in that was begun and waits for the provider's answer. */
export interface PendingSignIn {
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly returnTo: string;
  /** The person has to be asked again. */
  readonly fresh: boolean;
  /** In ms since 1970. */
  readonly startedAt: number;
}

/** How long sessions last, in ms. */
export interface SessionLimits {
  /** Without any request. */
  readonly idleMs: number;
  /** In all. */
  readonly absoluteMs: number;
}

/** How long the provider's answer may take: a person may have to find a phone. */
export const SIGN_IN_MS = 10 * 60 * 1_000;
export const SIGN_IN_LIMITS: SessionLimits = { idleMs: SIGN_IN_MS, absoluteMs: SIGN_IN_MS };

/** When a session was begun and when it ends. */
export interface SessionTimes {
  readonly createdAt: number;
  readonly seenAt: number;
  readonly idleEndsAt: number;
  readonly endsAt: number;
}

export function newTimes(now: number, { idleMs, absoluteMs }: SessionLimits): SessionTimes {
  const endsAt = now + absoluteMs;
  return { createdAt: now, seenAt: now, idleEndsAt: Math.min(now + idleMs, endsAt), endsAt };
}

/** The times after a request; the absolute end never moves. */
export function seen(
  times: SessionTimes,
  now: number,
  { idleMs }: Pick<SessionLimits, 'idleMs'>,
): SessionTimes {
  return { ...times, seenAt: now, idleEndsAt: Math.min(now + idleMs, times.endsAt) };
}

/** Why a session has ended by its times; null while it has not. */
export function endedBy({ idleEndsAt, endsAt }: SessionTimes, now: number): 'idle' | 'too_old' | null {
  if (now >= endsAt) return 'too_old';
  return now >= idleEndsAt ? 'idle' : null;
}

/** A person's name in events, lists and rules: no issuer can end in another's way, since `#` is in no issuer. */
export function principalIdOf({ iss, sub }: Pick<Person, 'iss' | 'sub'>): string {
  return `${iss}#${sub}`;
}
