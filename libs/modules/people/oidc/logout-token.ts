import { type JWTVerifyGetKey } from 'jose';
import { type IdTokenRules } from './id-token';
import { refusedToken, verifyToken } from './verify-token';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** OpenID Connect Back-Channel Logout 1.0 section 2.4 recommends two minutes; a provider may repeat a POST. */
const MAX_AGE_S = 10 * 60;

export interface LogoutToken {
  readonly iss: string;
  readonly jti: string;
  readonly sub: string | null;
  readonly sid: string | null;
  /** Until when its jti has to be remembered, in ms since 1970. */
  readonly rememberUntil: number;
}

/**
 * Checks a logout token (Back-Channel Logout 1.0, section 2.6); whether it was used before is another question.
 * @throws PeopleError `invalid_logout_token`, and those of `verifyToken`
 */
export async function readLogoutToken(
  token: string,
  keys: JWTVerifyGetKey,
  { clientId, issuer, algorithms, clockToleranceS }: Omit<IdTokenRules, 'roleRules'>,
): Promise<LogoutToken> {
  const failure = { code: 'invalid_logout_token', what: 'logout token' } as const;
  const refuse = (why: string) => refusedToken(failure, why);
  const claims = await verifyToken(
    token,
    keys,
    {
      issuer,
      algorithms,
      clockToleranceS,
      audience: clientId,
      maxAgeS: MAX_AGE_S,
      required: ['jti', 'events'],
      types: ['logout+jwt', 'jwt', undefined],
    },
    failure,
  );
  const { iss = '', jti = '', sub = null, sid = null, events, iat = 0 } = claims;
  // An ID token has a nonce, and must not do as a logout token.
  if ('nonce' in claims) throw refuse('it has a nonce');
  const event = isObject(events) && Object.hasOwn(events, EVENT) ? events[EVENT] : undefined;
  if (!isObject(event)) throw refuse('its events do not name a logout');
  if (typeof jti !== 'string' || jti === '' || jti.length > 255) throw refuse('its jti is no text');
  if (sid !== null && (typeof sid !== 'string' || sid === '' || sid.length > 255))
    throw refuse('its sid is no text');
  if (sub === null && sid === null) throw refuse('it names neither a person nor a session');
  return { iss, jti, sub, sid, rememberUntil: (iat + MAX_AGE_S + 2 * clockToleranceS) * 1_000 };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
