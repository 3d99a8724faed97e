import { timingSafeEqual } from 'node:crypto';
import { type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { type JsonObject } from '#evidence';
import { PeopleError } from '../domain/people.error';
import { type PendingSignIn, type Person } from '../domain/person-session';
import { roleClaimsOf, type RoleRule } from '../domain/role-claims';
import { refusedToken, type TokenRules, verifyToken } from './verify-token';

/** An ID token is fresh from the provider when it is looked at. */
const MAX_AGE_S = 10 * 60;
const MAX_NAME_LENGTH = 200;
const FAILURE = { code: 'invalid_id_token', what: 'ID token' } as const;

export type IdTokenRules = Pick<TokenRules, 'issuer' | 'algorithms' | 'clockToleranceS'> & {
  readonly clientId: string;
  readonly roleRules: readonly RoleRule[];
};

/**
 * The person that an ID token names, after every check of OpenID Connect Core section 3.1.3.7.
 * @param pending the sign-in that it answers; null for one of a refresh, which has no nonce of its own
 * @throws PeopleError `invalid_id_token`, `not_reauthenticated`, and those of `verifyToken`
 */
export async function personOfIdToken(
  token: string,
  keys: JWTVerifyGetKey,
  { clientId, roleRules, ...rules }: IdTokenRules,
  pending: PendingSignIn | null,
): Promise<Person> {
  const claims = await verifyToken(
    token,
    keys,
    { ...rules, audience: clientId, maxAgeS: MAX_AGE_S, required: ['sub'], types: ['jwt', undefined] },
    FAILURE,
  );
  assertPartyIs(claims, clientId);
  if (pending !== null && !isSame(claims['nonce'], pending.nonce)) {
    throw refusedToken(FAILURE, 'its nonce is of another sign-in');
  }
  const authTime = claims['auth_time'];
  if (authTime !== undefined && !(Number.isSafeInteger(authTime) && (authTime as number) >= 0)) {
    throw refusedToken(FAILURE, 'its auth_time is no time');
  }
  const authenticatedAt = authTime === undefined ? null : (authTime as number) * 1_000;
  if (pending?.fresh === true) assertAskedAgain(authenticatedAt, pending, rules.clockToleranceS);
  const { iss = '', sub = '', sid, name } = claims;
  return {
    iss,
    sub,
    sid: typeof sid === 'string' && sid.length > 0 && sid.length <= 255 ? sid : null,
    name: typeof name === 'string' ? name.slice(0, MAX_NAME_LENGTH) : null,
    roleClaims: roleClaimsOf(claims as JsonObject, roleRules),
    // A clock that is ahead must not stretch the minutes in which a sign-in is fresh.
    authenticatedAt: authenticatedAt === null ? null : Math.min(authenticatedAt, Date.now()),
  };
}

/** OpenID Connect Core section 3.1.3.7, 3 to 5: with several audiences, who it was issued to has to be us. */
function assertPartyIs({ aud, azp }: JWTPayload, clientId: string): void {
  if (azp === undefined ? !Array.isArray(aud) || aud.length === 1 : azp === clientId) return;
  throw refusedToken(
    FAILURE,
    'it was issued to someone else, or does not say to whom of its several audiences',
  );
}

function assertAskedAgain(at: number | null, { startedAt }: PendingSignIn, toleranceS: number): void {
  if (at !== null && at >= startedAt - toleranceS * 1_000 - 1_000) return;
  throw new PeopleError(
    'not_reauthenticated',
    'The identity provider did not ask you again who you are, which this command needs. Sign out there and sign in again.',
  );
}

function isSame(claim: unknown, expected: string): boolean {
  if (typeof claim !== 'string') return false;
  const [a, b] = [Buffer.from(claim), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
