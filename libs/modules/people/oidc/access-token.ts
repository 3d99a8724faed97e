import { type JWTVerifyGetKey } from 'jose';
import { type JsonObject } from '#evidence';
import { type Person } from '../domain/person-session';
import { roleClaimsOf } from '../domain/role-claims';
import { type IdTokenRules } from './id-token';
import { refusedToken, verifyToken } from './verify-token';

/** However long its issuer lets one live. */
const MAX_AGE_S = 24 * 60 * 60;

/**
 * The person of an access token in the form of RFC 9068, for scripts of people.
 * @throws PeopleError `invalid_access_token`, and those of `verifyToken`
 */
export async function personOfAccessToken(
  token: string,
  keys: JWTVerifyGetKey,
  { issuer, algorithms, clockToleranceS, roleRules }: Omit<IdTokenRules, 'clientId'>,
  audience: string,
): Promise<Person> {
  const failure = { code: 'invalid_access_token', what: 'access token' } as const;
  const refuse = (why: string) => refusedToken(failure, why);
  const claims = await verifyToken(
    token,
    keys,
    {
      issuer,
      algorithms,
      clockToleranceS,
      audience,
      maxAgeS: MAX_AGE_S,
      required: ['sub', 'client_id', 'jti'],
      // RFC 9068 section 4: any other type is no access token, an ID token least of all.
      types: ['at+jwt'],
    },
    failure,
  );
  const { iss = '', sub = '' } = claims;
  // RFC 9068 section 5: without a person the subject is the client, and clients have certificates here.
  if (claims['client_id'] === sub) throw refuse('it is of a program and not of a person');
  if (claims['cnf'] !== undefined) throw refuse('it is bound to a key whose possession is not checked here');
  const authTime = claims['auth_time'];
  return {
    iss,
    sub,
    sid: null,
    name: null,
    roleClaims: roleClaimsOf(claims as JsonObject, roleRules),
    authenticatedAt: Number.isSafeInteger(authTime)
      ? Math.min((authTime as number) * 1_000, Date.now())
      : null,
  };
}
