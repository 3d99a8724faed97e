import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import { PeopleError, type PeopleErrorCode } from '../domain/people.error';

/** Longest token that is looked at. */
export const MAX_TOKEN_LENGTH = 16 * 1_024;
/** OpenID Connect Core section 2: a subject has at most 255 ASCII characters. */
const SUBJECT = /^[\x21-\x7e]{1,255}$/;

export interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly clockToleranceS: number;
  /** Longest age by `iat`. */
  readonly maxAgeS?: number;
  /** Claims that have to be there, besides iss, aud, exp and iat. */
  readonly required?: readonly string[];
  /** Media types of the header's `typ` that are accepted, in lower case without `application/`; undefined stands for none. */
  readonly types: readonly (string | undefined)[];
}

export interface TokenFailure {
  /** The code of the error when a token is not acceptable. */
  readonly code: PeopleErrorCode;
  /** The token in a sentence, such as "ID token". */
  readonly what: string;
}

/** The error for a token that is not acceptable. @param why the rest of a sentence that begins with "it" or "its" */
export function refusedToken({ code, what }: TokenFailure, why: string, cause?: unknown): PeopleError {
  return new PeopleError(code, `The ${what} is not acceptable: ${why}.`, {}, { cause });
}

/**
 * Judges a signed token by the provider's keys: signature by one of the listed algorithms, issuer, audience, times, type.
 * @throws PeopleError the failure's code; `keys_rotated`, `provider_unavailable`, `clock_skew`
 */
export async function verifyToken(
  token: string,
  keys: JWTVerifyGetKey,
  rules: TokenRules,
  failure: TokenFailure,
): Promise<JWTPayload> {
  const refuse = (why: string, cause?: unknown) => refusedToken(failure, why, cause);
  if (token.length > MAX_TOKEN_LENGTH) throw refuse('it is too long');
  const options: JWTVerifyOptions = {
    issuer: rules.issuer,
    audience: rules.audience,
    algorithms: [...rules.algorithms],
    clockTolerance: rules.clockToleranceS,
    requiredClaims: ['iss', 'aud', 'exp', 'iat', ...(rules.required ?? [])],
    ...(rules.maxAgeS !== undefined && { maxTokenAge: rules.maxAgeS }),
  };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, options);
    const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, '');
    if (!rules.types.includes(type)) throw refuse(`its type is ${JSON.stringify(type ?? null)}`);
    const subject: unknown = payload.sub;
    if (subject !== undefined && (typeof subject !== 'string' || !SUBJECT.test(subject))) {
      throw refuse('its subject is malformed');
    }
    return payload;
  } catch (error) {
    if (error instanceof PeopleError) throw error;
    throw explained(error, failure, refuse);
  }
}

/** Codes of jose for keys that cannot be fetched: not in time, not with 200, not as a set of keys. */
const KEYS_AWAY: ReadonlySet<string> = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
  errors.JOSEError.code,
]);

function explained(
  error: unknown,
  { what }: TokenFailure,
  refuse: (why: string, cause?: unknown) => PeopleError,
): PeopleError {
  const options = { cause: error };
  if (error instanceof errors.JWKSNoMatchingKey) {
    return new PeopleError(
      'keys_rotated',
      `The ${what} is signed with a key that the identity provider has not published (it may have changed its keys just now). Try again.`,
      {},
      options,
    );
  }
  if (!(error instanceof errors.JOSEError) || KEYS_AWAY.has(error.code)) {
    return new PeopleError(
      'provider_unavailable',
      'The identity provider does not answer, so no one can sign in at the moment. Try again in a minute.',
      {},
      options,
    );
  }
  if (error instanceof errors.JWTExpired) return refuse('it has expired', error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim } = error;
    if ((claim === 'iat' || claim === 'nbf') && /future|timestamp/.test(error.message)) {
      return new PeopleError(
        'clock_skew',
        `The ${what} is from the future: the clocks of the identity provider and of this kernel differ by more than is tolerated. Tell whoever operates them.`,
        {},
        options,
      );
    }
    return refuse(`its ${claim} is missing or wrong`, error);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refuse('its algorithm is not accepted', error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return refuse('its signature is wrong', error);
  return refuse('it is no token of the accepted form', error);
}
